#include "config_refusal.h"

#define ADDRESS_FORMS "must be IPv4:PORT, [IPv6]:PORT or unix:PATH, with a numeric address, not "

static void test_listen(void **state)
{
    static const char OLD[] = "  - address: 127.0.0.1:8080\n";
    static const refusal_t CHANGES[] = {
        {OLD, "", ":1: listen: must be a list"},
        {OLD, "  []\n", ":2: listen: must not be empty"},
        {OLD, "  address: 127.0.0.1:8080\n", ":2: listen: must be a list"},
        {OLD, "  - 127.0.0.1:8080\n", ":2: listen[0]: must be a mapping"},
        {OLD, "  - adress: x\n", ":2: listen[0].adress: unknown key; did you mean address?"},
        {OLD, "  - tls: {}\n", ":2: listen[0].address: missing"},
        {OLD, "  - address:\n", ":2: listen[0].address: must have a value"},
        {OLD, "  - address: [x]\n", ":2: listen[0].address: must be a single value, not a list or a mapping"},
        {OLD, "  - address: 8080\n", ":2: listen[0].address: " ADDRESS_FORMS "\"8080\""},
        {OLD, "  - address: :8080\n",
         ":2: listen[0].address: must have a host: write 0.0.0.0:8080 or \"[::]:8080\""},
        {OLD, "  - address: localhost:80\n", ":2: listen[0].address: " ADDRESS_FORMS "\"localhost:80\""},
        {OLD, "  - address: 127.0.0.1\n", ":2: listen[0].address: " ADDRESS_FORMS "\"127.0.0.1\""},
        {OLD, "  - address: '127.0.0.1:'\n", ":2: listen[0].address: " ADDRESS_FORMS "\"127.0.0.1:\""},
        {OLD, "  - address: 127.0.0.1:65536\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: 127.0.0.1:+80\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: 127.0.0.1:000080\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: 127.0.0.01:80\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: 127.1:80\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: ::1:80\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: '[::1]'\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: '[]:80'\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: '[127.0.0.1]:80'\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: '[fe80::1%lo]:80'\n", ":2: listen[0].address: " ADDRESS_FORMS "*"},
        {OLD, "  - address: 'unix:'\n", ":2: listen[0].address: must have a path behind unix:"},
        {OLD,
         "  - address: "
         "unix:/012345678901234567890123456789012345678901234567890123456789012345678901234567890"
         "12345678901234567890123456\n",
         ":2: listen[0].address: the socket's absolute path has 108 bytes, at most 107 are possible"},
        {OLD, "  - address: \"127.0.0.1:80\\0\"\n",
         ":2: listen[0].address: must not hold control characters"},
        {OLD, "  - address: 127.0.0.1:80\n  - address: 127.0.0.1:80\n",
         ":3: listen[1].address: the same address as listen[0] (line 2)"},
        {OLD, "  - address: '[::1]:80'\n  - address: '[0::01]:80'\n",
         ":3: listen[1].address: the same address as listen[0] (line 2)"},
        {OLD, "  - address: unix:s\n  - address: unix:s\n",
         ":3: listen[1].address: the same address as listen[0] (line 2)"},
        {"", "admin: { address: 127.0.0.1:8080 }\n",
         ":12: admin.address: the same address as listen[0] (line 2)"},
        {"", "admin: { address: x }\n", ":12: admin.address: " ADDRESS_FORMS "\"x\""},
        {"", "admin: off\n", ":12: admin: must be none, or a mapping with an address"},
        {"", "admin: 'none'\n", ":12: admin: must be none, or a mapping with an address"},
        {"", "admin:\n", ":12: admin: must be none, or a mapping with an address"},
        {"", "admin: []\n", ":12: admin: must be a mapping"},
        {OLD, "  - address: 127.0.0.1:9090\n",
         ":1: admin: the same address as listen[0] (line 2), which is the default of `admin`: " CONFIG_ADMIN_HINT},
        {"", "admin: { address: 127.0.0.1:1, tls: {} }\n", ":12: admin.tls: unknown key"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_ready(void **state)
{
    static const refusal_t CHANGES[] = {
        {"", "drain_delay: 301s\n",
         ":12: drain_delay: must be a duration in s, m, h or d from 0s to 5m, not \"301s\""},
        {"", "drain_delay: 5\n",
         ":12: drain_delay: must be a duration in s, m, h or d from 0s to 5m, not \"5\""},
        {"", "drain_delay: -1s\n",
         ":12: drain_delay: must be a duration in s, m, h or d from 0s to 5m, not \"-1s\""},
        {"", "drain_delay:\n", ":12: drain_delay: must have a value"},
        {"", "core_dumps: on\n", ":12: core_dumps: must be true or false, without quotes, not \"on\""},
        {"", "ready: some\n", ":12: ready: must be all or any, not \"some\""},
        {"", "ready: Any\n", ":12: ready: must be all or any, not \"Any\""},
        {"", "ready: true\n", ":12: ready: must be all or any, not \"true\""},
        {"", "ready: ''\n", ":12: ready: must not be empty"},
        {"", "ready:\n", ":12: ready: must have a value"},
        {"", "ready: [any]\n", ":12: ready: must be a single value, not a list or a mapping"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

#define USER_FORMS "must be a user of this system or UID[:GID], not "

static void test_privileges(void **state)
{
    static const refusal_t CHANGES[] = {
        {"", "user:\n", ":12: user: must have a value"},
        {"", "user: ''\n", ":12: user: must not be empty"},
        {"", "user: [x]\n", ":12: user: must be a single value, not a list or a mapping"},
        {"", "user: no.such.user\n", ":12: user: " USER_FORMS "\"no.such.user\""},
        {"", "user: ':1'\n", ":12: user: " USER_FORMS "\":1\""},
        {"", "user: -1\n", ":12: user: " USER_FORMS "\"-1\""},
        {"", "user: '1:'\n", ":12: user: " USER_FORMS "\"1:\""},
        {"", "user: 1:x\n", ":12: user: " USER_FORMS "\"1:x\""},
        {"", "user: 1:2:3\n", ":12: user: " USER_FORMS "\"1:2:3\""},
        {"", "user: 1 2\n", ":12: user: " USER_FORMS "\"1 2\""},
        {"", "user: 4294967295\n", ":12: user: " USER_FORMS "\"4294967295\""},
        {"", "user: 1:4294967295\n", ":12: user: " USER_FORMS "\"1:4294967295\""},
        {"", "user: 18446744073709551617\n", ":12: user: " USER_FORMS "*"},
        {"", "user: 0\n", ":12: user: must not be root*"},
        {"", "user: 0:1000\n", ":12: user: must not be root*"},
        {"", "user: root\n", ":12: user: must not be root*"},
        {"", "seccomp: on\n", ":12: seccomp: must be true or false, without quotes, not \"on\""},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_longest_socket_path(void **state)
{
    fixture_t *fixture = *state;
    char yaml[2048];
    char path[108];
    memset(path, 's', 107);
    path[0] = '/';
    path[107] = '\0';
    snprintf(yaml, sizeof(yaml), "listen: [ { address: unix:%s } ]\n%s", path,
             strstr(REFUSAL_BASE, "issuers:"));
    fixture_write(fixture, "introspectd.yaml", yaml);
    config_error_t error;
    config_t *config = config_load(fixture->config_file, NULL, NULL, &error);
    assert_non_null(config);
    assert_string_equal(config->listeners[0].address.unix_path, path);
    config_free(config);
}

#define SIZE_WORDS "a size in bytes, KiB, MiB or GiB from "
#define DURATION_WORDS "a duration in s, m, h or d from "

#define TLS(member)                                                                                          \
    "127.0.0.1:80\n    tls: { certificate_file: tls.crt, private_key_file: tls.crt, " member " }\n"

static void test_tls(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "tls.crt", "");
    fixture_write(fixture, "key.pem", "-----BEGIN PRIVATE KEY-----\n");
    static const char OLD[] = "127.0.0.1:8080\n";
    static const refusal_t CHANGES[] = {
        {OLD, "127.0.0.1:80\n    tls: { certificate_file: tls.crt }\n",
         ":3: listen[0].tls.private_key_file: missing"},
        {OLD, "127.0.0.1:80\n    tls: { private_key_file: tls.crt }\n",
         ":3: listen[0].tls.certificate_file: missing"},
        {OLD, "127.0.0.1:80\n    tls: true\n", ":3: listen[0].tls: must be a mapping"},
        {OLD, "127.0.0.1:80\n    tls:\n      certificate_file: tls.crt\n      private_key_file: absent\n",
         ":5: listen[0].tls.private_key_file: cannot read \"@/absent\": No such file or directory"},
        {OLD, "127.0.0.1:80\n    tls: { certificate_file: /, private_key_file: tls.crt }\n",
         ":3: listen[0].tls.certificate_file: cannot read \"/\": Is a directory"},
        {OLD, "127.0.0.1:80\n    tls: { certificate_file: '', private_key_file: tls.crt }\n",
         ":3: listen[0].tls.certificate_file: must not be empty"},
        {OLD, TLS("client_ca_file: absent"),
         ":3: listen[0].tls.client_ca_file: cannot read \"@/absent\": No such file or directory"},
        {OLD, TLS("client_ca_file: tls.crt"),
         ":3: listen[0].tls.client_ca_file: \"@/tls.crt\": holds no certificate in PEM"},
        {OLD, TLS("client_ca_file: key.pem"),
         ":3: listen[0].tls.client_ca_file: \"@/key.pem\": holds no certificate in PEM"},
        {OLD, TLS("client_ca_file: "), ":3: listen[0].tls.client_ca_file: must have a value"},
        {OLD, TLS("ticket_lifetime: 9s"),
         ":3: listen[0].tls.ticket_lifetime: must be " DURATION_WORDS "10s to 7d, not \"9s\""},
        {OLD, TLS("ticket_lifetime: 169h"),
         ":3: listen[0].tls.ticket_lifetime: must be " DURATION_WORDS "10s to 7d, not \"169h\""},
        {OLD, TLS("ticket_lifetime: 0"), ":3: listen[0].tls.ticket_lifetime: must be " DURATION_WORDS "*"},
        {OLD, TLS("ticket_life: 1h"), ":3: listen[0].tls.ticket_life: unknown key*"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_path(void **state)
{
    static const refusal_t CHANGES[] = {
        {"", "path: introspect\n", ":12: path: must begin with /"},
        {"", "path: ''\n", ":12: path: must not be empty"},
        {"", "path: ~\n", ":12: path: must have a value"},
        {"", "path: [/a]\n", ":12: path: must be a single value, not a list or a mapping"},
        {"", "path: /a?b\n", ":12: path: must not hold a space, ? or #"},
        {"", "path: /a#b\n", ":12: path: must not hold a space, ? or #"},
        {"", "path: /a b\n", ":12: path: must not hold a space, ? or #"},
        {"", "path: \"/a\\tb\"\n", ":12: path: must not hold control characters"},
        {"", "path: \"/a\\x9fb\"\n", ":12: path: must not hold control characters"},
        {"", "path: //\n", ":12: path: must not hold //"},
        {"", "path: /a//b\n", ":12: path: must not hold //"},
        {"", "path: /.\n", ":12: path: must not have a segment . or .."},
        {"", "path: /..\n", ":12: path: must not have a segment . or .."},
        {"", "path: /a/./b\n", ":12: path: must not have a segment . or .."},
        {"", "path: /a/../\n", ":12: path: must not have a segment . or .."},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_numbers(void **state)
{
    static const refusal_t CHANGES[] = {
        {"", "threads: 0\n", ":12: threads: must be auto or an integer from 1 to 1024, not \"0\""},
        {"", "threads: 1025\n", ":12: threads: must be auto or an integer from 1 to 1024, not \"1025\""},
        {"", "threads: -1\n", ":12: threads: must be auto or an integer from 1 to 1024, not \"-1\""},
        {"", "threads: '4'\n", ":12: threads: must be auto or an integer from 1 to 1024, not \"4\""},
        {"", "threads: 010\n", ":12: threads: must be auto or an integer from 1 to 1024, not \"010\""},
        {"", "threads: 4.0\n", ":12: threads: must be auto or an integer from 1 to 1024, not \"4.0\""},
        {"", "threads: 4294967297\n", ":12: threads: must be auto *"},
        {"", "threads: 18446744073709551617\n", ":12: threads: must be auto *"},
        {"", "threads: Auto\n", ":12: threads: must be auto *"},
        {"", "threads:\n", ":12: threads: must have a value"},
        {"", "shutdown_timeout: 10\n",
         ":12: shutdown_timeout: must be " DURATION_WORDS "0s to 1h, not \"10\""},
        {"", "shutdown_timeout: 61m\n",
         ":12: shutdown_timeout: must be " DURATION_WORDS "0s to 1h, not \"61m\""},
        {"", "shutdown_timeout: 100ms\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: 1.5s\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: -1s\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: s\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: 1 s\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: 1h30m\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: 1S\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "shutdown_timeout: 213503982334601d\n", ":12: shutdown_timeout: must be " DURATION_WORDS "*"},
        {"", "cache: { max_ttl: 0 }\n", ":12: cache.max_ttl: must be " DURATION_WORDS "1s to 1d, not \"0\""},
        {"", "cache: { max_ttl: 25h }\n",
         ":12: cache.max_ttl: must be " DURATION_WORDS "1s to 1d, not \"25h\""},
        {"", "cache: { stripes: 0 }\n", ":12: cache.stripes: must be an integer from 1 to 4096, not \"0\""},
        {"", "cache: { stripes: 4097 }\n",
         ":12: cache.stripes: must be an integer from 1 to 4096, not \"4097\""},
        {"", "cache: { stripes: auto }\n",
         ":12: cache.stripes: must be an integer from 1 to 4096, not \"auto\""},
        {"", "cache:\n  max_bytes: 65535\n",
         ":13: cache.max_bytes: must be 0 or " SIZE_WORDS "64KiB to 1024GiB, not \"65535\""},
        {"", "cache: { max_bytes: 1025GiB }\n", ":12: cache.max_bytes: must be 0 or " SIZE_WORDS "*"},
        {"", "cache: { max_bytes: 64KB }\n", ":12: cache.max_bytes: must be 0 or " SIZE_WORDS "*"},
        {"", "cache: { max_bytes: 1TiB }\n", ":12: cache.max_bytes: must be 0 or " SIZE_WORDS "*"},
        {"", "cache: { max_bytes: 17179869184GiB }\n", ":12: cache.max_bytes: must be 0 or " SIZE_WORDS "*"},
        {"", "cache: { maxBytes: 1 }\n", ":12: cache.maxBytes: unknown key; did you mean max_bytes?"},
        {"", "limits: { max_body: 1023 }\n",
         ":12: limits.max_body: must be " SIZE_WORDS "1KiB to 16MiB, not \"1023\""},
        {"", "limits: { max_body: 17MiB }\n",
         ":12: limits.max_body: must be " SIZE_WORDS "1KiB to 16MiB, not \"17MiB\""},
        {"", "limits: { max_body: 0 }\n", ":12: limits.max_body: must be " SIZE_WORDS "*"},
        {"", "limits: { max_token: 255 }\n",
         ":12: limits.max_token: must be " SIZE_WORDS "256 to 64KiB, not \"255\""},
        {"", "limits: { max_token: 3KiB, max_body: 2KiB }\n",
         ":12: limits.max_token: must be " SIZE_WORDS "256 to 2KiB, not \"3KiB\""},
        {"", "limits: { failed_authentications: 1000001 }\n",
         ":12: limits.failed_authentications: must be an integer from 0 to 1000000, not \"1000001\""},
        {"", "limits: { failed_authentications: -1 }\n",
         ":12: limits.failed_authentications: must be an integer from 0 to 1000000, not \"-1\""},
        {"", "limits: { failed_authentications: off }\n",
         ":12: limits.failed_authentications: must be an integer from 0 to 1000000, not \"off\""},
        {"    audience:", "    leeway: 601s\n    audience:",
         ":7: issuers[0].leeway: must be " DURATION_WORDS "0s to 10m, not \"601s\""},
        {"    audience:", "    leeway: 30\n    audience:",
         ":7: issuers[0].leeway: must be " DURATION_WORDS "*"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_listen),     FIXTURE_TEST(test_longest_socket_path),
        FIXTURE_TEST(test_tls),        FIXTURE_TEST(test_path),
        FIXTURE_TEST(test_numbers),    FIXTURE_TEST(test_ready),
        FIXTURE_TEST(test_privileges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
