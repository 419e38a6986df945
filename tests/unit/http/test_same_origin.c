#include "same_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_safe(const char *host)
{
    size_t len = strlen(host);
    char *copy = malloc(len + (len == 0));
    assert_non_null(copy);
    memcpy(copy, host, len);
    bool safe = same_origin_host_is_safe((slice_t){copy, len});
    free(copy);
    return safe;
}

static void test_safe_hosts(void **state)
{
    static const char *const HOSTS[] = {
        "localhost", "localhost:9090", "LocalHost:1", "127.0.0.1",      "127.0.0.1:9090",
        "10.1.2.3",  "[::1]",          "[::1]:9090",  "[fd00::7]:9090",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(HOSTS) / sizeof(HOSTS[0]); i++)
        assert_true(is_safe(HOSTS[i]));
}

static void test_hosts_that_may_be_anybodys(void **state)
{
    static const char *const HOSTS[] = {
        "",
        "evil.example",
        "evil.example:9090",
        "localhost.evil.example",
        "localhost.evil.example:9090",
        "localhost:",
        "localhost:x",
        "localhost:99999",
        "localhost:9090@evil.example",
        "localhos",
        "xlocalhost",
        "127.0.0.1.evil.example",
        "127.0.0.1:",
        "127.0.0.1:9090.evil.example",
        "127.0.0.1.",
        "[::1]x",
        "[::1",
        "0x7f000001",
        "2130706433",
        "127.1",
        "default",
        "introspectd.default.svc:9090",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(HOSTS) / sizeof(HOSTS[0]); i++)
        assert_false(is_safe(HOSTS[i]));
}

static bool is_own(const char *host, const char *origin, const char *fetch_site)
{
    return same_origin_sender_is_own(slice_of(host), slice_of(origin), slice_of(fetch_site));
}

static void test_own_senders(void **state)
{
    (void)state;
    assert_true(is_own("127.0.0.1:9090", NULL, NULL));
    assert_true(is_own("127.0.0.1:9090", "http://127.0.0.1:9090", NULL));
    assert_true(is_own("localhost:9090", "http://localhost:9090", "same-origin"));
    assert_true(is_own("localhost:9090", "https://localhost:9090", "same-origin"));
    assert_true(is_own("LOCALHOST:9090", "http://localhost:9090", "same-origin"));
    assert_true(is_own("localhost:9090", NULL, "none"));
}

static void test_senders_of_other_sites(void **state)
{
    static const char *const ORIGINS[] = {
        "http://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:90901",
        "http://127.0.0.1:909",
        "null",
        "",
        "127.0.0.1:9090",
        "ftp://127.0.0.1:9090",
        "http://",
        "http://localhost:9090",
        "http://127.0.0.1:9090/",
        "http://evil.example@127.0.0.1:9090",
    };
    static const char *const SITES[] = {"cross-site", "same-site", "", "Same-Origin", "unheard-of"};
    (void)state;
    for (size_t i = 0; i < sizeof(ORIGINS) / sizeof(ORIGINS[0]); i++) {
        assert_false(is_own("127.0.0.1:9090", ORIGINS[i], NULL));
        assert_false(is_own("127.0.0.1:9090", ORIGINS[i], "same-origin"));
    }
    for (size_t i = 0; i < sizeof(SITES) / sizeof(SITES[0]); i++) {
        assert_false(is_own("127.0.0.1:9090", NULL, SITES[i]));
        assert_false(is_own("127.0.0.1:9090", "http://127.0.0.1:9090", SITES[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_safe_hosts),
        cmocka_unit_test(test_hosts_that_may_be_anybodys),
        cmocka_unit_test(test_own_senders),
        cmocka_unit_test(test_senders_of_other_sites),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
