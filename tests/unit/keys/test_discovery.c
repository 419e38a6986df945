#include "discovery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define ISSUER "https://idp.example.com/tenant"
#define URI "https://keys.example.com/jwks?v=1"

static void assert_urls(const char *issuer, const char *openid, const char *oauth)
{
    assert_true(discovery_is_possible(issuer, true));
    char *url = discovery_url(issuer, DISCOVERY_OPENID);
    assert_non_null(url);
    assert_string_equal(url, openid);
    free(url);
    url = discovery_url(issuer, DISCOVERY_OAUTH);
    assert_non_null(url);
    assert_string_equal(url, oauth);
    free(url);
}

static void the_documents_have_their_places(void **state)
{
    (void)state;
    /* OpenID Connect Discovery 1.0 section 4.1, RFC 8414 section 3.1 */
    assert_urls("https://example.com", "https://example.com/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server");
    assert_urls("https://example.com/issuer1", "https://example.com/issuer1/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server/issuer1");
}

static void one_trailing_slash_goes(void **state)
{
    (void)state;
    assert_urls("https://example.com/", "https://example.com/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server");
    assert_urls("https://example.com/a/b/", "https://example.com/a/b/.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server/a/b");
    assert_urls("https://example.com/a//", "https://example.com/a//.well-known/openid-configuration",
                "https://example.com/.well-known/oauth-authorization-server/a/");
}

static void a_port_stays_with_its_host(void **state)
{
    (void)state;
    assert_urls("https://example.com:8443/a", "https://example.com:8443/a/.well-known/openid-configuration",
                "https://example.com:8443/.well-known/oauth-authorization-server/a");
    assert_urls("https://[2001:db8::1]:8443/a",
                "https://[2001:db8::1]:8443/a/.well-known/openid-configuration",
                "https://[2001:db8::1]:8443/.well-known/oauth-authorization-server/a");
    assert_urls("http://[::1]", "http://[::1]/.well-known/openid-configuration",
                "http://[::1]/.well-known/oauth-authorization-server");
}

static void some_issuers_have_none(void **state)
{
    (void)state;
    assert_false(discovery_is_possible("https://example.com?a=b", false));
    assert_false(discovery_is_possible("https://example.com/a#b", false));
    assert_false(discovery_is_possible("https://example.com/a?", false));
    assert_false(discovery_is_possible("https://user@example.com", false));
    assert_false(discovery_is_possible("http://example.com", false));
    assert_true(discovery_is_possible("http://example.com", true));
    assert_false(discovery_is_possible("urn:example:issuer", true));
    assert_false(discovery_is_possible("joe", true));
    assert_false(discovery_is_possible("", true));
    assert_null(discovery_url("joe", DISCOVERY_OAUTH));
}

static void a_document_names_the_place(void **state)
{
    (void)state;
    static const char document[] = "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" URI
                                   "\",\"response_types_supported\":[\"code\"],\"x\":{\"y\":null}}";
    char *jwks_uri = NULL;
    assert_null(discovery_read(slice_of(document), ISSUER, false, &jwks_uri));
    assert_string_equal(jwks_uri, URI);
    free(jwks_uri);
}

static void assert_refused(slice_t document, bool allow_http, const char *word)
{
    char untouched;
    char *jwks_uri = &untouched;
    const char *problem = discovery_read(document, ISSUER, allow_http, &jwks_uri);
    if (problem == NULL)
        fail_msg("not refused: %.*s", (int)document.len, document.base);
    if (strstr(problem, word) == NULL)
        fail_msg("%s does not say %s", problem, word);
    assert_ptr_equal(jwks_uri, &untouched);
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const DOCUMENTS[] = {
        "",
        "null",
        "[]",
        "<!DOCTYPE html><html></html>",
        "{",
        ("{\"issuer\":\"" ISSUER "\""),
        ("{\"issuer\":\"" ISSUER "\",\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" URI "\"}"),
        ("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" URI "\"} x"),
        ("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"" URI "\",\"x\":\"\xff\"}")};
    for (size_t i = 0; i < sizeof(DOCUMENTS) / sizeof(DOCUMENTS[0]); i++)
        assert_refused(slice_of(DOCUMENTS[i]), false, "not a JSON object");
    assert_refused((slice_t){NULL, 0}, false, "not a JSON object");
}

static void another_issuer_is_refused(void **state)
{
    (void)state;
    static const char *const ISSUERS[] = {("\"" ISSUER "/\""),
                                          "\"https://IDP.example.com/tenant\"",
                                          "\"https://idp.example.com/tenan\"",
                                          "\"https://idp.example.com:443/tenant\"",
                                          "\"https://idp.example.com/%74enant\"",
                                          "\"\""};
    char document[512];
    for (size_t i = 0; i < sizeof(ISSUERS) / sizeof(ISSUERS[0]); i++) {
        snprintf(document, sizeof(document), "{\"issuer\":%s,\"jwks_uri\":\"" URI "\"}", ISSUERS[i]);
        assert_refused(slice_of(document), false, "issuer is another one");
    }
    assert_refused(slice_of("{\"jwks_uri\":\"" URI "\"}"), false, "no `issuer`");
    assert_refused(slice_of("{\"issuer\":[\"" ISSUER "\"],\"jwks_uri\":\"" URI "\"}"), false, "no `issuer`");
    assert_refused(slice_of("{\"issuer\":null,\"jwks_uri\":\"" URI "\"}"), false, "no `issuer`");
}

static void another_kind_of_place_is_refused(void **state)
{
    (void)state;
    static const char *const URIS[] = {
        "\"http://keys.example.com/jwks\"",
        "\"file:///etc/passwd\"",
        "\"ftp://keys.example.com/jwks\"",
        "\"//keys.example.com/jwks\"",
        "\"/jwks\"",
        "\"\"",
        "\"https://user:password@keys.example.com/jwks\"",
        "\"https://keys.example.com/jw ks\"",
        "\"https://keys.example.com/\\r\\nHost: x\"",
        "\"https://keys.example.com/\\u00e4\"",
    };
    char document[512];
    for (size_t i = 0; i < sizeof(URIS) / sizeof(URIS[0]); i++) {
        snprintf(document, sizeof(document), "{\"issuer\":\"" ISSUER "\",\"jwks_uri\":%s}", URIS[i]);
        assert_refused(slice_of(document), false, "not an https URL");
        if (i > 0)
            assert_refused(slice_of(document), true, "not an http or https URL");
    }
    assert_refused(slice_of("{\"issuer\":\"" ISSUER "\"}"), false, "no `jwks_uri`");
    assert_refused(slice_of("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":7}"), false, "no `jwks_uri`");
    assert_refused(slice_of("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":[\"" URI "\"]}"), false,
                   "no `jwks_uri`");
}

static void plain_http_is_a_matter_of_the_settings(void **state)
{
    (void)state;
    char *jwks_uri = NULL;
    assert_null(
        discovery_read(slice_of("{\"issuer\":\"" ISSUER "\",\"jwks_uri\":\"http://keys.example.com/\"}"),
                       ISSUER, true, &jwks_uri));
    assert_string_equal(jwks_uri, "http://keys.example.com/");
    free(jwks_uri);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_documents_have_their_places),
        cmocka_unit_test(one_trailing_slash_goes),
        cmocka_unit_test(a_port_stays_with_its_host),
        cmocka_unit_test(some_issuers_have_none),
        cmocka_unit_test(a_document_names_the_place),
        cmocka_unit_test(what_is_no_object_is_refused),
        cmocka_unit_test(another_issuer_is_refused),
        cmocka_unit_test(another_kind_of_place_is_refused),
        cmocka_unit_test(plain_http_is_a_matter_of_the_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
