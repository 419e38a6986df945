#include "config_refusal.h"

static const char REST[] = "issuers:\n"
                           "  - issuer: https://idp.example.com/\n"
                           "    jwks_file: jwks.json\n"
                           "    algorithms: [RS256]\n"
                           "    audience: https://channels.example.com\n"
                           "clients:\n"
                           "  - client_id: front\n"
                           "    client_secret_files: [front.secret]\n"
                           "    profile: front_private\n";

static config_t *load(const fixture_t *fixture, const char *yaml)
{
    char whole[4096];
    snprintf(whole, sizeof(whole), "%s%s", yaml, REST);
    return fixture_load(fixture, whole);
}

static void assert_prefix(const config_t *config, size_t i, const char *expected)
{
    char text[IP_PREFIX_TEXT_SIZE];
    assert_string_equal(ip_prefix_text(&config->trusted_proxies[i], text), expected);
}

static void test_nobody_by_default(void **state)
{
    config_t *config = load(*state, "listen: [ address: 127.0.0.1:8080 ]\n");
    assert_null(config->trusted_proxies);
    assert_int_equal(config->trusted_proxy_count, 0);
    assert_false(config->listeners[0].has_proxy_protocol);
    config_free(config);
}

static void test_trusted_proxies(void **state)
{
    config_t *config = load(*state, "listen:\n"
                                    "  - { address: 127.0.0.1:8080, proxy_protocol: true }\n"
                                    "  - { address: 127.0.0.1:8081, proxy_protocol: false }\n"
                                    "  - { address: unix:near.sock, proxy_protocol: true }\n"
                                    "trusted_proxies:\n"
                                    "  - 10.0.0.0/8\n"
                                    "  - 192.0.2.1\n"
                                    "  - 2001:DB8::/32\n"
                                    "  - \"::1\"\n"
                                    "  - ::ffff:192.0.2.0/120\n");
    assert_int_equal(config->trusted_proxy_count, 5);
    assert_prefix(config, 0, "10.0.0.0/8");
    assert_prefix(config, 1, "192.0.2.1/32");
    assert_prefix(config, 2, "2001:db8::/32");
    assert_prefix(config, 3, "::1/128");
    assert_prefix(config, 4, "192.0.2.0/24");
    assert_true(config->listeners[0].has_proxy_protocol);
    assert_false(config->listeners[1].has_proxy_protocol);
    assert_true(config->listeners[2].has_proxy_protocol);
    config_free(config);
}

static void test_unix_listener_needs_no_prefixes(void **state)
{
    config_t *config = load(*state, "listen: [ { proxy_protocol: true, address: unix:near.sock } ]\n");
    assert_true(config->listeners[0].has_proxy_protocol);
    assert_int_equal(config->trusted_proxy_count, 0);
    config_free(config);
}

static void test_most_proxies(void **state)
{
    const fixture_t *fixture = *state;
    char yaml[REFUSAL_MAX_YAML] = "trusted_proxies:\n";
    size_t len = strlen(yaml);
    for (int i = 0; i < 64; i++)
        len += (size_t)snprintf(yaml + len, sizeof(yaml) - len, "  - 10.0.0.%d\n", i);
    snprintf(yaml + len, sizeof(yaml) - len, "%s", REFUSAL_BASE);
    config_t *config = fixture_load(fixture, yaml);
    assert_int_equal(config->trusted_proxy_count, 64);
    assert_prefix(config, 63, "10.0.0.63/32");
    config_free(config);
    snprintf(yaml + len, sizeof(yaml) - len, "  - 10.0.0.64\n%s", REFUSAL_BASE);
    fixture_write(fixture, "introspectd.yaml", yaml);
    refusal_assert(fixture, ":2: trusted_proxies: must have at most 64 items, not 65");
}

#define FORMS "must be an IPv4 or IPv6 prefix (ADDRESS/BITS) or a single address, not "
#define HOST_BITS "must have no bits set behind the prefix: "

static void test_errors(void **state)
{
    static const char LISTENER[] = "  - address: 127.0.0.1:8080\n";
    static const refusal_t CHANGES[] = {
        {"", "trusted_proxies: 10.0.0.0/8\n", ":12: trusted_proxies: must be a list"},
        {"", "trusted_proxies: []\n", ":12: trusted_proxies: must not be empty"},
        {"", "trusted_proxies:\n", ":12: trusted_proxies: must be a list"},
        {"", "trusted_proxis: []\n", ":12: trusted_proxis: unknown key; did you mean trusted_proxies?"},
        {"", "trusted_proxies: [ [] ]\n",
         ":12: trusted_proxies[0]: must be a single value, not a list or a mapping"},
        {"", "trusted_proxies: [ '' ]\n", ":12: trusted_proxies[0]: must not be empty"},
        {"", "trusted_proxies:\n  - 10.0.0.0/8\n  - localhost\n",
         ":14: trusted_proxies[1]: " FORMS "\"localhost\""},
        {"", "trusted_proxies: [ 10.0.0.0/33 ]\n", ":12: trusted_proxies[0]: " FORMS "\"10.0.0.0/33\""},
        {"", "trusted_proxies: [ '::/129' ]\n", ":12: trusted_proxies[0]: " FORMS "\"::/129\""},
        {"", "trusted_proxies: [ '[::1]' ]\n", ":12: trusted_proxies[0]: " FORMS "\"[::1]\""},
        {"", "trusted_proxies: [ 127.0.0.1:80 ]\n", ":12: trusted_proxies[0]: " FORMS "\"127.0.0.1:80\""},
        {"", "trusted_proxies: [ 10.1.2.3/8 ]\n",
         ":12: trusted_proxies[0]: " HOST_BITS "10.0.0.0/8, not \"10.1.2.3/8\""},
        {"", "trusted_proxies: [ '2001:db8::1/32' ]\n",
         ":12: trusted_proxies[0]: " HOST_BITS "2001:db8::/32, not \"2001:db8::1/32\""},
        {LISTENER, "  - { address: 127.0.0.1:80, proxy_protocol: true }\n",
         ":2: listen[0].proxy_protocol: must be false without trusted_proxies, since nobody could connect"},
        {LISTENER, "  - { address: unix:s }\n  - { address: '[::1]:80', proxy_protocol: true }\n",
         ":3: listen[1].proxy_protocol: must be false without trusted_proxies, since nobody could connect"},
        {LISTENER, "  - { address: 127.0.0.1:80, proxy_protocol: v2 }\n",
         ":2: listen[0].proxy_protocol: must be true or false, without quotes, not \"v2\""},
        {LISTENER, "  - { address: 127.0.0.1:80, proxy_protocol: 'true' }\n",
         ":2: listen[0].proxy_protocol: must be true or false, without quotes, not \"true\""},
        {LISTENER, "  - { address: 127.0.0.1:80, proxy_protocol: }\n",
         ":2: listen[0].proxy_protocol: must have a value"},
        {LISTENER, "  - { address: 127.0.0.1:80, proxy-protocol: true }\n",
         ":2: listen[0].proxy-protocol: unknown key; did you mean proxy_protocol?"},
        {"", "admin: { address: 127.0.0.1:1, proxy_protocol: true }\n",
         ":12: admin.proxy_protocol: unknown key"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_nobody_by_default),
        FIXTURE_TEST(test_trusted_proxies),
        FIXTURE_TEST(test_unix_listener_needs_no_prefixes),
        FIXTURE_TEST(test_most_proxies),
        FIXTURE_TEST(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
