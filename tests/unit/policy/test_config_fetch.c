#include "config_fixture.h"

/* One issuer whose keys are fetched as lines say; every line has four spaces in front. */
static config_t *load_issuer(const fixture_t *fixture, const char *identifier, const char *lines)
{
    char yaml[4096];
    snprintf(yaml, sizeof(yaml),
             "listen: [ address: 127.0.0.1:8080 ]\n"
             "issuers:\n"
             "  - issuer: %s\n"
             "    algorithms: [RS256]\n"
             "    audience: any\n"
             "%s"
             "clients: [{ client_id: c, client_secret_files: [front.secret], profile: rfc7662 }]\n",
             identifier, lines);
    return fixture_load(fixture, yaml);
}

#define URL "    jwks_url: https://idp.example.com/keys\n"

static void test_defaults(void **state)
{
    config_t *config = load_issuer(*state, "some-issuer", URL);
    const config_issuer_t *issuer = &config->issuers[0];
    assert_null(issuer->keys);
    assert_null(issuer->jwks_file);
    assert_int_equal(issuer->max_keys_tried, 8);
    const config_fetch_t *fetch = &issuer->fetch;
    assert_string_equal(fetch->jwks_url, "https://idp.example.com/keys");
    assert_false(fetch->allow_http);
    assert_null(fetch->ca_file);
    assert_int_equal(fetch->connect_timeout_s, 5);
    assert_int_equal(fetch->fetch_timeout_s, 10);
    assert_int_equal(fetch->max_bytes, 1 << 20);
    assert_int_equal(fetch->refresh_min_s, 60);
    assert_int_equal(fetch->refresh_max_s, 15 * 60);
    assert_int_equal(fetch->cooldown_s, 10);
    assert_int_equal(fetch->stale_max_s, 86400);
    assert_int_equal(config->note_count, 0);
    config_free(config);
}

static void test_every_key(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "ca.pem", "text before\n-----BEGIN CERTIFICATE-----\nAAAA\n");
    config_t *config = load_issuer(fixture, "https://idp.example.com",
                                   "    jwks_url: http://idp.example.com:8080/keys?a=b\n"
                                   "    allow_http: true\n"
                                   "    ca_file: ca.pem\n"
                                   "    connect_timeout: 7s\n"
                                   "    fetch_timeout: 2m\n"
                                   "    fetch_max_bytes: 2MiB\n"
                                   "    refresh_min: 2m\n"
                                   "    refresh_max: 1h\n"
                                   "    cooldown: 30s\n"
                                   "    stale_max: 2d\n"
                                   "    max_keys_tried: 3\n");
    const config_fetch_t *fetch = &config->issuers[0].fetch;
    assert_string_equal(fetch->jwks_url, "http://idp.example.com:8080/keys?a=b");
    assert_true(fetch->allow_http);
    char path[128];
    snprintf(path, sizeof(path), "%s/ca.pem", fixture->directory);
    assert_string_equal(fetch->ca_file, path);
    assert_int_equal(fetch->connect_timeout_s, 7);
    assert_int_equal(fetch->fetch_timeout_s, 120);
    assert_int_equal(fetch->max_bytes, 2 << 20);
    assert_int_equal(fetch->refresh_min_s, 120);
    assert_int_equal(fetch->refresh_max_s, 3600);
    assert_int_equal(fetch->cooldown_s, 30);
    assert_int_equal(fetch->stale_max_s, 2 * 86400);
    assert_int_equal(config->issuers[0].max_keys_tried, 3);
    config_free(config);
}

static void test_discovery(void **state)
{
    static const struct {
        const char *identifier;
        const char *lines;
    } CASES[] = {
        {"https://idp.example.com", "    discover: true\n"},
        {"https://idp.example.com/", "    discover: true\n"},
        {"https://idp.example.com:8443/realms/a", "    discover: true\n    allow_http: false\n"},
        {"http://127.0.0.1:8080/realms/a", "    discover: true\n    allow_http: true\n"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        config_t *config = load_issuer(*state, CASES[i].identifier, CASES[i].lines);
        const config_issuer_t *issuer = &config->issuers[0];
        assert_null(issuer->jwks_file);
        assert_null(issuer->fetch.jwks_url);
        assert_null(issuer->keys);
        assert_int_equal(issuer->fetch.refresh_max_s, 15 * 60);
        config_free(config);
    }
}

/* Without discovery the identifier is no address, so nothing is asked of it. */
static void test_discover_false_changes_nothing(void **state)
{
    config_t *config = load_issuer(*state, "joe@home", "    discover: false\n" URL);
    assert_string_equal(config->issuers[0].fetch.jwks_url, "https://idp.example.com/keys");
    config_free(config);
    config = load_issuer(*state, "joe", "    discover: false\n    jwks_file: jwks.json\n");
    assert_non_null(config->issuers[0].jwks_file);
    assert_non_null(config->issuers[0].keys);
    config_free(config);
}

static void test_bounds(void **state)
{
    static const struct {
        const char *lines;
        config_fetch_t expected;
    } CASES[] = {
        {URL
         "    connect_timeout: 1s\n    fetch_timeout: 1s\n    fetch_max_bytes: 1KiB\n    refresh_min: 1s\n"
         "    refresh_max: 1s\n    cooldown: 1s\n    stale_max: 1s\n",
         {.connect_timeout_s = 1,
          .fetch_timeout_s = 1,
          .max_bytes = 1 << 10,
          .refresh_min_s = 1,
          .refresh_max_s = 1,
          .cooldown_s = 1,
          .stale_max_s = 1}},
        {URL
         "    connect_timeout: 60s\n    fetch_timeout: 5m\n    fetch_max_bytes: 16MiB\n    refresh_min: 1d\n"
         "    refresh_max: 7d\n    cooldown: 1h\n    stale_max: 30d\n",
         {.connect_timeout_s = 60,
          .fetch_timeout_s = 300,
          .max_bytes = 16 << 20,
          .refresh_min_s = 86400,
          .refresh_max_s = 7 * 86400,
          .cooldown_s = 3600,
          .stale_max_s = 30 * 86400}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        config_t *config = load_issuer(*state, "i", CASES[i].lines);
        const config_fetch_t *fetch = &config->issuers[0].fetch;
        const config_fetch_t *expected = &CASES[i].expected;
        assert_int_equal(fetch->connect_timeout_s, expected->connect_timeout_s);
        assert_int_equal(fetch->fetch_timeout_s, expected->fetch_timeout_s);
        assert_int_equal(fetch->max_bytes, expected->max_bytes);
        assert_int_equal(fetch->refresh_min_s, expected->refresh_min_s);
        assert_int_equal(fetch->refresh_max_s, expected->refresh_max_s);
        assert_int_equal(fetch->cooldown_s, expected->cooldown_s);
        assert_int_equal(fetch->stale_max_s, expected->stale_max_s);
        config_free(config);
    }
}

static void test_defaults_follow_what_is_given(void **state)
{
    static const struct {
        const char *lines;
        int64_t refresh_min_s;
        int64_t refresh_max_s;
        int64_t stale_max_s;
    } CASES[] = {
        {"", 60, 900, 86400},
        {"    refresh_min: 15m\n", 900, 900, 86400},
        {"    refresh_min: 1h\n", 3600, 3600, 86400},
        {"    refresh_min: 1d\n", 86400, 86400, 86400},
        {"    refresh_max: 1m\n", 60, 60, 86400},
        {"    refresh_max: 5s\n", 5, 5, 86400},
        {"    refresh_max: 1d\n", 60, 86400, 86400},
        {"    refresh_max: 7d\n", 60, 7 * 86400, 7 * 86400},
        {"    stale_max: 20m\n", 60, 900, 1200},
        {"    stale_max: 30s\n    refresh_max: 30s\n", 30, 30, 30},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char lines[256];
        snprintf(lines, sizeof(lines), URL "%s", CASES[i].lines);
        config_t *config = load_issuer(*state, "i", lines);
        const config_fetch_t *fetch = &config->issuers[0].fetch;
        assert_int_equal(fetch->refresh_min_s, CASES[i].refresh_min_s);
        assert_int_equal(fetch->refresh_max_s, CASES[i].refresh_max_s);
        assert_int_equal(fetch->stale_max_s, CASES[i].stale_max_s);
        config_free(config);
    }
}

static void test_good_urls(void **state)
{
    static const char *const URLS[] = {
        "https://a",
        "https://a/",
        "HTTPS://IDP.example.com/.well-known/jwks.json",
        "https://a_b-c.example.com:1/x",
        "https://idp.example.com:65535?x=y",
        "https://192.0.2.1/keys",
        "https://[::1]/keys",
        "https://[2001:db8::1]:8443/keys",
        "https://idp.example.com/a@b:c/%C3%A4/;,=+$!*'()?q=/?@:%20",
    };
    for (size_t i = 0; i < sizeof(URLS) / sizeof(URLS[0]); i++) {
        char lines[256];
        snprintf(lines, sizeof(lines), "    jwks_url: \"%s\"\n", URLS[i]);
        config_t *config = load_issuer(*state, "i", lines);
        assert_string_equal(config->issuers[0].fetch.jwks_url, URLS[i]);
        config_free(config);
    }
}

static void test_longest_url(void **state)
{
    enum { MAX = 2048 };
    char lines[MAX + 64] = "    jwks_url: https://a/";
    size_t start = strlen("    jwks_url: ");
    size_t len = strlen(lines);
    memset(lines + len, 'x', start + MAX - len);
    memcpy(lines + start + MAX, "\n", sizeof("\n"));
    config_t *config = load_issuer(*state, "i", lines);
    assert_int_equal(strlen(config->issuers[0].fetch.jwks_url), MAX);
    config_free(config);
}

static void test_certificates_of_authorities(void **state)
{
    static const char *const FILES[] = {"-----BEGIN CERTIFICATE-----",
                                        "-----BEGIN TRUSTED CERTIFICATE-----\n",
                                        "# a\n-----BEGIN X509 CERTIFICATE-----\n"};
    const fixture_t *fixture = *state;
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        fixture_write(fixture, "ca.pem", FILES[i]);
        config_free(load_issuer(fixture, "https://i", "    discover: true\n    ca_file: ca.pem\n"));
    }
}

static void test_max_keys_tried_of_a_file(void **state)
{
    static const struct {
        const char *lines;
        unsigned expected;
    } CASES[] = {{"", 8}, {"    max_keys_tried: 1\n", 1}, {"    max_keys_tried: 64\n", 64}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char lines[128];
        snprintf(lines, sizeof(lines), "    jwks_file: jwks.json\n%s", CASES[i].lines);
        config_t *config = load_issuer(*state, "i", lines);
        assert_int_equal(config->issuers[0].max_keys_tried, CASES[i].expected);
        config_free(config);
    }
}

static void test_a_slot_put_in_is_freed_with_the_config(void **state)
{
    config_t *config = load_issuer(*state, "i", URL);
    keyset_slot_t *slot = keyset_slot_new(NULL, NULL, NULL);
    assert_non_null(slot);
    config->issuers[0].keys = keyset_slot_acquire(slot);
    assert_int_equal(keyset_slot_holders(slot), 2);
    config_free(config);
    assert_int_equal(keyset_slot_holders(slot), 1);
    keyset_slot_release(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_defaults),
        FIXTURE_TEST(test_every_key),
        FIXTURE_TEST(test_discovery),
        FIXTURE_TEST(test_discover_false_changes_nothing),
        FIXTURE_TEST(test_bounds),
        FIXTURE_TEST(test_defaults_follow_what_is_given),
        FIXTURE_TEST(test_good_urls),
        FIXTURE_TEST(test_longest_url),
        FIXTURE_TEST(test_certificates_of_authorities),
        FIXTURE_TEST(test_max_keys_tried_of_a_file),
        FIXTURE_TEST(test_a_slot_put_in_is_freed_with_the_config),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
