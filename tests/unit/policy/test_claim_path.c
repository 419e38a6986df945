#include "introspectd/claim_path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static json_t *load(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    if (value == NULL)
        fail_msg("not JSON: %s", text);
    return value;
}

static claim_path_t *parse(const char *text)
{
    const char *error = NULL;
    claim_path_t *path = claim_path_new(slice_of(text), &error);

    if (path == NULL)
        fail_msg("%s: %s", text, error);
    return path;
}

/* expected is JSON; NULL: no value. */
static void expect(const char *payload_text, const char *path_text, const char *expected_text)
{
    json_t *payload = load(payload_text);
    claim_path_t *path = parse(path_text);
    const json_t *value = claim_path_get(path, payload);

    if (expected_text == NULL) {
        if (value != NULL)
            fail_msg("%s has a value in %s", path_text, payload_text);
    } else {
        json_t *expected = load(expected_text);
        if (value == NULL || !json_equal(value, expected))
            fail_msg("%s is not %s in %s", path_text, expected_text, payload_text);
        json_decref(expected);
    }
    claim_path_free(path);
    json_decref(payload);
}

static void test_literal_name_is_never_split(void **state)
{
    (void)state;
    expect("{\"sub\":\"u1\"}", "sub", "\"u1\"");
    expect("{\"https://ns.example/channel\":\"c1\"}", "https://ns.example/channel", "\"c1\"");
    expect("{\"cognito:groups\":[\"g\"]}", "cognito:groups", "[\"g\"]");
    expect("{\"a.b\":1,\"a\":{\"b\":2}}", "a.b", "1");
    expect("{\"a\":{\"b\":2}}", "a.b", NULL);
    expect("{\"a\":{\"b\":2}}", "a/b", NULL);
    expect("{\"a/b\":3}", "a/b", "3");
    expect("{\"~0\":1,\"~\":2}", "~0", "1");
    expect("{\"0\":\"zero\"}", "0", "\"zero\"");
    expect("{\"n\xC3\xA4me\":1}", "n\xC3\xA4me", "1");
    expect("{\"sub\":null}", "sub", "null");
    expect("{\"sub\":1}", "Sub", NULL);
    expect("{}", "sub", NULL);
}

static void test_name_with_nul_is_compared_whole(void **state)
{
    (void)state;
    json_t *payload = load("{\"a\":1}");
    const char *error = NULL;
    claim_path_t *path = claim_path_new((slice_t){"a\0b", 3}, &error);

    assert_non_null(path);
    assert_null(claim_path_get(path, payload));
    claim_path_free(path);
    json_decref(payload);
}

/* RFC 6901 section 5. */
static void test_pointer_examples_of_the_rfc(void **state)
{
    (void)state;
    static const char document[] =
        "{\"foo\":[\"bar\",\"baz\"],\"\":0,\"a/b\":1,\"c%d\":2,\"e^f\":3,\"g|h\":4,"
        "\"i\\\\j\":5,\"k\\\"l\":6,\" \":7,\"m~n\":8}";

    expect(document, "/foo", "[\"bar\",\"baz\"]");
    expect(document, "/foo/0", "\"bar\"");
    expect(document, "/", "0");
    expect(document, "/a~1b", "1");
    expect(document, "/c%d", "2");
    expect(document, "/e^f", "3");
    expect(document, "/g|h", "4");
    expect(document, "/i\\j", "5");
    expect(document, "/k\"l", "6");
    expect(document, "/ ", "7");
    expect(document, "/m~0n", "8");
}

static void test_pointer_escapes(void **state)
{
    (void)state;
    expect("{\"~1\":\"tilde one\",\"/\":\"slash\"}", "/~01", "\"tilde one\"");
    expect("{\"~1\":\"tilde one\",\"/\":\"slash\"}", "/~1", "\"slash\"");
    expect("{\"/a\":1,\"a\":2}", "/~1a", "1");
    expect("{\"a~b/c\":{\"~~\":1}}", "/a~0b~1c/~0~0", "1");
    expect("{\"a%2Fb\":1}", "/a%2Fb", "1");
}

static void test_pointer_into_nested_claims(void **state)
{
    (void)state;
    static const char keycloak[] = "{\"realm_access\":{\"roles\":[\"r0\",\"r1\"]},"
                                   "\"resource_access\":{\"front.channel/app\":{\"roles\":[\"agent\"]}}}";

    expect(keycloak, "/realm_access/roles/1", "\"r1\"");
    expect(keycloak, "/resource_access/front.channel~1app/roles/0", "\"agent\"");
    expect(keycloak, "/resource_access/front/channel", NULL);
    expect(keycloak, "/realm_access/roles/2", NULL);
    expect("{\"a\":{\"\":{\"\":1}}}", "/a//", "1");
    expect("{\"a\":{\"b\":1}}", "/a/", NULL);
    expect("{\"a\":\"text\"}", "/a/0", NULL);
    expect("{\"a\":null}", "/a/b", NULL);
    expect("{\"a\":5}", "/a/b", NULL);
}

static void test_array_indices(void **state)
{
    (void)state;
    static const char document[] = "{\"a\":[10,11,12,13,14,15,16,17,18,19,20]}";

    expect(document, "/a/0", "10");
    expect(document, "/a/10", "20");
    expect(document, "/a/11", NULL);
    expect(document, "/a/00", NULL);
    expect(document, "/a/01", NULL);
    expect(document, "/a/-", NULL);
    expect(document, "/a/-1", NULL);
    expect(document, "/a/+1", NULL);
    expect(document, "/a/1 ", NULL);
    expect(document, "/a/1x", NULL);
    expect(document, "/a/", NULL);
    expect(document, "/a/4294967296", NULL);
    expect(document, "/a/18446744073709551616", NULL);
    expect(document, "/a/99999999999999999999999999999999", NULL);
    expect("{\"a\":[[1,2],[3,[4]]]}", "/a/1/1/0", "4");
}

static void test_index_like_names_of_objects(void **state)
{
    (void)state;
    expect("{\"a\":{\"0\":1,\"-\":2,\"01\":3}}", "/a/0", "1");
    expect("{\"a\":{\"0\":1,\"-\":2,\"01\":3}}", "/a/-", "2");
    expect("{\"a\":{\"0\":1,\"-\":2,\"01\":3}}", "/a/01", "3");
    expect("{\"99999999999999999999\":1}", "/99999999999999999999", "1");
}

static void test_payload_that_is_no_object(void **state)
{
    (void)state;
    expect("[1]", "/0", NULL);
    expect("[1]", "0", NULL);
    expect("\"text\"", "a", NULL);
}

static void test_sixteen_parts_and_no_more(void **state)
{
    (void)state;
    const char *error = NULL;

    expect(
        "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{"
        "\"a\":{\"a\":1}}}}}}}}}}}}}}}}",
        "/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "1");
    assert_null(claim_path_new(slice_of("/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a"), &error));
    assert_non_null(strstr(error, "16"));
    expect("{\"a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a\":1}", "a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", "1");
}

static void test_refusals(void **state)
{
    (void)state;
    static const slice_t refused[] = {
        {NULL, 0},
        {"", 0},
        {"/~", 2},
        {"/a~", 3},
        {"/~2", 3},
        {"/a~/b", 5},
        {"/~a", 3},
        {"/~0", 2},
        {"/a~1", 3},
        {"\xC3\xA9", 1},
        {"\xE2\x82\xAC", 2},
        {"\xF0\x9F\x98\x80", 3},
        {"\xFF", 1},
        {"a\xC3", 2},
        {"\x80", 1},
        {"\xC0\x80", 2},
        {"\xC1\xBF", 2},
        {"\xC3"
         "A",
         2},
        {"\xE0\x9F\xBF", 3},
        {"\xED\xA0\x80", 3},
        {"\xE2\x82", 2},
        {"/\xE2\x82/a", 5},
        {"\xF5\x80\x80\x80", 4},
        {"\xF0\x8F\xBF\xBF", 4},
        {"\xF4\x90\x80\x80", 4},
        {"\xF0\x90\x80", 3},
    };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        const char *error = NULL;
        claim_path_t *path = claim_path_new(refused[i], &error);
        if (path != NULL || error == NULL)
            fail_msg("place %zu was not refused with an error", i);
    }
}

static void test_utf8_of_every_length(void **state)
{
    (void)state;
    static const char *const names[] = {
        "\xC2\x80",     "\xDF\xBF",         "\xE0\xA0\x80",     "\xED\x9F\xBF",     "\xEE\x80\x80",
        "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xF3\xBF\xBF\xBF", "a\xE2\x82\xACz"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *error = NULL;
        claim_path_t *path = claim_path_new(slice_of(names[i]), &error);
        if (path == NULL)
            fail_msg("place %zu: %s", i, error);
        claim_path_free(path);
    }
}

static void test_text_is_copied(void **state)
{
    (void)state;
    char text[] = "/a/b";
    json_t *payload = load("{\"a\":{\"b\":7}}");
    claim_path_t *path = parse(text);

    memset(text, 'x', sizeof(text) - 1);
    assert_int_equal(json_integer_value(claim_path_get(path, payload)), 7);
    claim_path_free(path);
    json_decref(payload);
    claim_path_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_literal_name_is_never_split),
        cmocka_unit_test(test_name_with_nul_is_compared_whole),
        cmocka_unit_test(test_pointer_examples_of_the_rfc),
        cmocka_unit_test(test_pointer_escapes),
        cmocka_unit_test(test_pointer_into_nested_claims),
        cmocka_unit_test(test_array_indices),
        cmocka_unit_test(test_index_like_names_of_objects),
        cmocka_unit_test(test_payload_that_is_no_object),
        cmocka_unit_test(test_sixteen_parts_and_no_more),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_utf8_of_every_length),
        cmocka_unit_test(test_text_is_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
