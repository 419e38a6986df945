/* Where the admin listener is, by a whole config and by what reads no more than that of it. */
#include "config_fixture.h"

#define REST                                                                                                 \
    "listen: [ { address: 127.0.0.1:8080 } ]\n"                                                              \
    "issuers:\n"                                                                                             \
    "  - { issuer: i, jwks_file: absent.json, algorithms: [RS256], audience: any }\n"                        \
    "clients:\n"                                                                                             \
    "  - { client_id: c, client_secret_files: [absent.secret], profile: rfc7662 }\n"

static config_t *load_admin(const fixture_t *fixture, const char *yaml, config_error_t *error)
{
    fixture_write(fixture, "introspectd.yaml", yaml);
    return config_load_admin(fixture->config_file, error);
}

static void test_address_alone(void **state)
{
    const fixture_t *fixture = *state;
    config_error_t error;
    config_t *config = load_admin(fixture, REST "admin: { address: '[::]:91' }\n", &error);
    assert_non_null(config);
    assert_true(config->has_admin);
    assert_false(config->has_default_admin);
    assert_string_equal(config->admin.host, "::");
    assert_int_equal(config->admin.port, 91);
    config_free(config);
    config = load_admin(fixture, REST "admin: { address: unix:admin.sock }\n", &error);
    assert_non_null(config);
    char path[256];
    snprintf(path, sizeof(path), "%s/admin.sock", fixture->directory);
    assert_string_equal(config->admin.unix_path, path);
    config_free(config);
}

static void test_default_and_none_alone(void **state)
{
    const fixture_t *fixture = *state;
    config_error_t error;
    config_t *config = load_admin(fixture, REST, &error);
    assert_non_null(config);
    assert_true(config->has_admin);
    assert_true(config->has_default_admin);
    assert_string_equal(config->admin.text, CONFIG_DEFAULT_ADMIN);
    config_free(config);
    config = load_admin(fixture, REST "admin: none\n", &error);
    assert_non_null(config);
    assert_false(config->has_admin);
    config_free(config);
}

static void test_errors_alone(void **state)
{
    const fixture_t *fixture = *state;
    static const struct {
        const char *yaml;
        const char *expected;
    } CASES[] = {
        {REST "admin: {}\n", ":6: admin.address: missing"},
        {REST "admin: { address: x }\n",
         ":6: admin.address: must be IPv4:PORT, [IPv6]:PORT or unix:PATH, with a numeric address, not \"x\""},
        {REST "admin: none\n\nadmin: none\n", ":8: admin: given twice (first on line 6)"},
        {"- admin: none\n", ":1: must be a mapping"},
        {"", ":1: the file is empty"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        config_error_t error;
        assert_null(load_admin(fixture, CASES[i].yaml, &error));
        assert_string_equal(strstr(error.text, ".yaml:") + strlen(".yaml"), CASES[i].expected);
    }
    config_error_t error;
    assert_null(config_load_admin("/no/such/file.yaml", &error));
    assert_string_equal(error.text, "/no/such/file.yaml: cannot be read: No such file or directory");
}

/* A running process has refused such a config, and goes on by the one before. */
static void test_errors_elsewhere_are_not_looked_at(void **state)
{
    const fixture_t *fixture = *state;
    static const char *const REST_OF_THEM[] = {REST "clientz: []\n", "listen: 5\n",
                                               "threads: 1\nthreads: 2\n", "? [a]\n: b\n"};
    for (size_t i = 0; i < sizeof(REST_OF_THEM) / sizeof(REST_OF_THEM[0]); i++) {
        char yaml[1024];
        snprintf(yaml, sizeof(yaml), "%sadmin: { address: 127.0.0.1:91 }\n", REST_OF_THEM[i]);
        config_error_t error;
        config_t *config = load_admin(fixture, yaml, &error);
        assert_non_null(config);
        assert_int_equal(config->admin.port, 91);
        config_free(config);
    }
}

static void test_none_of_a_whole_config(void **state)
{
    const fixture_t *fixture = *state;
    config_error_t error;
    fixture_write(fixture, "introspectd.yaml",
                  "listen: [ { address: 127.0.0.1:9090 } ]\n"
                  "admin: none\n"
                  "issuers:\n"
                  "  - { issuer: i, jwks_file: jwks.json, algorithms: [RS256], audience: any }\n"
                  "clients:\n"
                  "  - { client_id: c, client_secret_files: [front.secret], profile: rfc7662 }\n");
    config_t *config = config_load(fixture->config_file, NULL, NULL, &error);
    assert_non_null(config);
    assert_false(config->has_admin);
    assert_null(config->admin.text);
    config_free(config);
}

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host; /* NULL: no TCP */
        unsigned port;
        const char *unix_path;
    } GOOD[] = {{"127.0.0.1:80", "127.0.0.1", 80, NULL},
                {"[0::1]:65535", "::1", 65535, NULL},
                {"unix:/run/x.sock", NULL, 0, "/run/x.sock"},
                {"unix:x.sock", NULL, 0, "x.sock"}};
    for (size_t i = 0; i < sizeof(GOOD) / sizeof(GOOD[0]); i++) {
        config_address_t address;
        assert_true(config_address_parse(GOOD[i].text, &address));
        assert_string_equal(address.text, GOOD[i].text);
        assert_int_equal(address.port, GOOD[i].port);
        assert_true((address.host == NULL) == (GOOD[i].host == NULL));
        if (GOOD[i].host != NULL)
            assert_string_equal(address.host, GOOD[i].host);
        else
            assert_string_equal(address.unix_path, GOOD[i].unix_path);
        config_address_deinit(&address);
    }
    static const char *const BAD[] = {
        "", "x", ":80", "localhost:80", "127.0.0.1", "127.0.0.1:", "::1:80", "127.0.0.1:65536", "unix:"};
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
        config_address_t address;
        assert_false(config_address_parse(BAD[i], &address));
        config_address_deinit(&address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_address_alone),          FIXTURE_TEST(test_default_and_none_alone),
        FIXTURE_TEST(test_errors_alone),           FIXTURE_TEST(test_errors_elsewhere_are_not_looked_at),
        FIXTURE_TEST(test_none_of_a_whole_config), cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
