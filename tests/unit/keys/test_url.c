#include "url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_parts(const char *url, const char *origin, const char *path, bool has_more)
{
    url_parts_t parts;
    if (!url_split(slice_of(url), false, &parts))
        fail_msg("refused: %s", url);
    assert_true(slice_equal(parts.origin, slice_of(origin)));
    assert_true(slice_equal(parts.path, slice_of(path)));
    assert_int_equal(parts.has_query_or_fragment, has_more);
}

static void a_url_has_parts(void **state)
{
    (void)state;
    assert_parts("https://a.example", "https://a.example", "", false);
    assert_parts("https://a.example/", "https://a.example", "/", false);
    assert_parts("https://a.example:8443/b/c?d=/e#f", "https://a.example:8443", "/b/c", true);
    assert_parts("https://a.example?b", "https://a.example", "", true);
    assert_parts("https://a.example#b", "https://a.example", "", true);
    assert_parts("https://a.example?", "https://a.example", "", true);
    assert_parts("https://[2001:db8::1]:8443/b", "https://[2001:db8::1]:8443", "/b", false);
    assert_parts("HTTPS://a.example/b", "HTTPS://a.example", "/b", false);
    assert_parts("https://a.example/b@c", "https://a.example", "/b@c", false);
}

static void what_is_not_wanted_is_refused(void **state)
{
    (void)state;
    static const char *const URLS[] = {
        "",
        "https:",
        "https:/a.example/",
        "https://",
        "https:///keys",
        "https://?a",
        "https://#a",
        "https://:443/",
        "//a.example/keys",
        "/keys",
        "a.example/keys",
        "http://a.example/keys",
        "file:///etc/passwd",
        "ftp://a.example/keys",
        "httpss://a.example/",
        " https://a.example/",
        "https://a.example/ keys",
        "https://a.example/keys ",
        "https://a.example/\r\nHost: b",
        "https://a.example/\x7f",
        "https://a.example/\xc3\xa4",
        "https://user@a.example/",
        "https://user:password@a.example/",
        "https://@a.example/",
        "https://a.example\\@b.example/",
        "https://a.example\\b",
        "javascript:https://a.example/",
    };
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        if (url_split(slice_of(URLS[i]), false, NULL))
            fail_msg("not refused: %s", URLS[i]);
    }
    assert_false(url_split((slice_t){NULL, 0}, true, NULL));
    assert_false(url_split((slice_t){"https://a\0.example", 18}, true, NULL));
    assert_false(url_split(slice_of("file:///etc/passwd"), true, NULL));
    assert_true(url_split(slice_of("http://a.example/keys"), true, NULL));
    assert_true(url_split(slice_of("https://a.example/keys"), true, NULL));
}

static void assert_bare(const char *url, const char *bare)
{
    char out[URL_BARE_SIZE];
    url_copy_bare(url, out);
    assert_string_equal(out, bare);
}

static void a_bare_url_shows_no_secret(void **state)
{
    (void)state;
    assert_bare("https://a.example/keys", "https://a.example/keys");
    assert_bare("https://a.example/keys?token=s#s", "https://a.example/keys");
    assert_bare("https://a.example/keys#s", "https://a.example/keys");
    assert_bare("https://user:s@a.example/keys?s", "https://a.example/keys");
    assert_bare("https://user:s@s@a.example/keys", "https://a.example/keys");
    assert_bare("https://a.example?s@b", "https://a.example");
    assert_bare("https://a.example/x@y", "https://a.example/x@y");
    assert_bare("user:s@a.example/keys", "a.example/keys");
    assert_bare("no URL?s", "no URL");
    assert_bare("https://a.example/\n\x1b[2J\xff", "https://a.example/??[2J?");
    assert_bare("", "");
}

static void a_long_url_is_cut(void **state)
{
    (void)state;
    char url[1000] = "https://a.example/";
    char out[URL_BARE_SIZE];
    memset(url + strlen(url), 'x', sizeof(url) - strlen(url) - 1);
    url[sizeof(url) - 1] = '\0';
    url_copy_bare(url, out);
    assert_int_equal(strlen(out), URL_BARE_SIZE - 1);
    assert_memory_equal(out, url, URL_BARE_SIZE - 1);
    /* All of it a scheme. */
    memset(url, 'x', 990);
    memcpy(url + 900, "://", 3);
    url_copy_bare(url, out);
    assert_true(strlen(out) < URL_BARE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_has_parts),
        cmocka_unit_test(what_is_not_wanted_is_refused),
        cmocka_unit_test(a_bare_url_shows_no_secret),
        cmocka_unit_test(a_long_url_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
