#include "config_refusal.h"

#define JWKS "    jwks_file: jwks.json\n"
#define URL "    jwks_url: https://idp.example.com/keys\n"
#define SOURCES "jwks_file, jwks_url and discover: true"

static void test_sources(void **state)
{
    static const refusal_t CHANGES[] = {
        {JWKS, "", ":4: issuers[0]: must have one of " SOURCES},
        {JWKS, "    discover: false\n", ":4: issuers[0]: must have one of " SOURCES},
        {JWKS, "    cooldown: 1s\n", ":4: issuers[0]: must have one of " SOURCES},
        {JWKS, JWKS URL,
         ":6: issuers[0].jwks_url: only one of " SOURCES " is legal, and jwks_file stands on line 5"},
        {JWKS, URL JWKS,
         ":5: issuers[0].jwks_url: only one of " SOURCES " is legal, and jwks_file stands on line 6"},
        {JWKS, "    discover: true\n" JWKS,
         ":5: issuers[0].discover: only one of " SOURCES " is legal, and jwks_file stands on line 6"},
        {JWKS, URL "    discover: true\n",
         ":6: issuers[0].discover: only one of " SOURCES " is legal, and jwks_url stands on line 5"},
        {JWKS, URL "    discover: true\n" JWKS, ":5: issuers[0].jwks_url: only one of *"},
        {JWKS, "    jwks_uri: https://a\n", ":5: issuers[0].jwks_uri: unknown key; did you mean jwks_url?"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_keys_about_fetching_beside_a_file(void **state)
{
    static const char *const MEMBERS[] = {
        "allow_http: false", "ca_file: ca.pem",       "connect_timeout: 1s",
        "fetch_timeout: 1s", "fetch_max_bytes: 1KiB", "refresh_min: 1m",
        "refresh_max: 1m",   "cooldown: 1s",          "stale_max: 1d",
    };
    for (size_t i = 0; i < sizeof(MEMBERS) / sizeof(MEMBERS[0]); i++) {
        char lines[256];
        char expected[256];
        snprintf(lines, sizeof(lines), JWKS "    discover: false\n    %s\n", MEMBERS[i]);
        snprintf(expected, sizeof(expected),
                 ":7: issuers[0].%.*s: only legal with jwks_url or discover: true",
                 (int)strcspn(MEMBERS[i], ":"), MEMBERS[i]);
        refusal_apply(*state, &(refusal_t){JWKS, lines, expected});
    }
}

#define BOOLEAN_WORDS "must be true or false, without quotes, not "

static void test_booleans(void **state)
{
    static const refusal_t CHANGES[] = {
        {JWKS, "    discover: 'true'\n", ":5: issuers[0].discover: " BOOLEAN_WORDS "\"true\""},
        {JWKS, "    discover: yes\n", ":5: issuers[0].discover: " BOOLEAN_WORDS "\"yes\""},
        {JWKS, "    discover: True\n", ":5: issuers[0].discover: " BOOLEAN_WORDS "\"True\""},
        {JWKS, "    discover: 1\n", ":5: issuers[0].discover: " BOOLEAN_WORDS "\"1\""},
        {JWKS, "    discover:\n", ":5: issuers[0].discover: must have a value"},
        {JWKS, "    discover: [true]\n",
         ":5: issuers[0].discover: must be a single value, not a list or a mapping"},
        {JWKS, URL "    allow_http: on\n", ":6: issuers[0].allow_http: " BOOLEAN_WORDS "\"on\""},
        {JWKS, URL "    allow_http: \"false\"\n", ":6: issuers[0].allow_http: " BOOLEAN_WORDS "\"false\""},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

#define HTTPS_ONLY "must be a URL that begins with https://"
#define NO_HTTP "must begin with https://; http:// is only legal with allow_http: true"
#define NO_PORT "must have nothing but a port from 1 to 65535 behind its host"
#define NO_HOST "must have a host"
#define HOST_LETTERS "must have a host of letters, digits, - and ."
#define NO_USER "must not hold a user name or a password"
#define CHARACTERS "must hold only the characters of a URL (RFC 3986), others percent-encoded"
#define PERCENT "must have two hexadecimal digits behind each %"
#define IPV6 "must have an IPv6 address in its brackets"

typedef struct bad_url {
    const char *url;
    const char *expected;
} bad_url_t;

/* Faults that a jwks_url and the identifier of a discovered issuer share. */
static const bad_url_t BAD_URLS[] = {
    {"idp.example.com/keys", HTTPS_ONLY},
    {"/keys", HTTPS_ONLY},
    {"//idp.example.com/keys", HTTPS_ONLY},
    {"https:/idp.example.com", HTTPS_ONLY},
    {"https:idp.example.com", HTTPS_ONLY},
    {"ftp://idp.example.com", HTTPS_ONLY},
    {"file:///etc/passwd", HTTPS_ONLY},
    {" https://idp.example.com", HTTPS_ONLY},
    {"http://idp.example.com", NO_HTTP},
    {"HTTP://idp.example.com", NO_HTTP},
    {"https://", NO_HOST},
    {"https:///keys", NO_HOST},
    {"https://?a", NO_HOST},
    {"https://#a", NO_HOST},
    {"https://:443/", NO_HOST},
    {"https://idp.example.com:/", NO_PORT},
    {"https://idp.example.com:0/", NO_PORT},
    {"https://idp.example.com:65536/", NO_PORT},
    {"https://idp.example.com:443x/", NO_PORT},
    {"https://idp.example.com:-1", NO_PORT},
    {"https://a:1:2/", NO_PORT},
    {"https://::1/", NO_HOST},
    {"https://[::1]8443/", NO_PORT},
    {"https://[::1/", IPV6},
    {"https://[]/", IPV6},
    {"https://[127.0.0.1]/", IPV6},
    {"https://[::1::1]/", IPV6},
    {"https://[fe80::1%25eth0]/", IPV6},
    {"https://a[b]/", HOST_LETTERS},
    {"https://a%2eb/", HOST_LETTERS},
    {"https://a,b/", HOST_LETTERS},
    {"https://joe:hunter2@idp.example.com/keys", NO_USER},
    {"https://joe@idp.example.com/keys", NO_USER},
    {"https://@idp.example.com/keys", NO_USER},
    {"https://joe:hunter2@", NO_USER},
    {"https://joe:hunter2@a:x/", NO_USER},
    {"https://joe:hun ter2@a/", "must not hold white space"},
    {"https://idp.example.com/a b", "must not hold white space"},
    {"https://idp.example.com ", "must not hold white space"},
    {"https://idp.example.com\\n", "must not hold control characters"},
    {"https://idp.example.com\\tx", "must not hold control characters"},
    {"https://idp.example.com/\\x7f", "must not hold control characters"},
    {"https://idp.example.com/\\0", "must not hold control characters"},
    {"https://idp.example.com/\\u00a0", CHARACTERS},
    {"https://b\\u00fccher.example.com/", CHARACTERS},
    {"https://idp.example.com\\\\@evil.example.com/", CHARACTERS},
    {"https://idp.example.com/<a>", CHARACTERS},
    {"https://idp.example.com/{issuer}", CHARACTERS},
    {"https://idp.example.com/%", PERCENT},
    {"https://idp.example.com/%4", PERCENT},
    {"https://idp.example.com/%4g", PERCENT},
    {"https://idp.example.com/keys#a", "must not have a fragment"},
    {"https://idp.example.com#", "must not have a fragment"},
    {"", "must not be empty"},
};

static void assert_url_refused(const fixture_t *fixture, const refusal_t *change)
{
    refusal_apply(fixture, change);
    config_error_t error;
    assert_null(config_load(fixture->config_file, NULL, NULL, &error));
    const char *text = error.text + strlen(fixture->config_file);
    assert_null(strstr(text, "hun"));
    assert_null(strstr(text, "joe"));
}

static void test_urls(void **state)
{
    for (size_t i = 0; i < sizeof(BAD_URLS) / sizeof(BAD_URLS[0]); i++) {
        char lines[256];
        char expected[256];
        snprintf(lines, sizeof(lines), "    jwks_url: \"%s\"\n", BAD_URLS[i].url);
        snprintf(expected, sizeof(expected), ":5: issuers[0].jwks_url: %s", BAD_URLS[i].expected);
        assert_url_refused(*state, &(refusal_t){JWKS, lines, expected});
    }
    static const refusal_t CHANGES[] = {
        {JWKS, "    jwks_url: [a]\n",
         ":5: issuers[0].jwks_url: must be a single value, not a list or a mapping"},
        {JWKS, "    jwks_url: ~\n", ":5: issuers[0].jwks_url: must have a value"},
        {JWKS, "    jwks_url: http://a\n    allow_http: false\n", ":5: issuers[0].jwks_url: " NO_HTTP},
        {JWKS, "    jwks_url: ftp://a\n    allow_http: true\n", ":5: issuers[0].jwks_url: " HTTPS_ONLY},
        {JWKS, "    jwks_url: http://joe:hunter2@a\n    allow_http: true\n",
         ":5: issuers[0].jwks_url: " NO_USER},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_a_url_that_is_too_long(void **state)
{
    enum { LEN = 2049 };
    char lines[LEN + 64] = "    jwks_url: https://a/";
    size_t start = strlen("    jwks_url: ");
    size_t len = strlen(lines);
    memset(lines + len, 'x', start + LEN - len);
    memcpy(lines + start + LEN, "\n", sizeof("\n"));
    refusal_apply(*state, &(refusal_t){JWKS, lines, ":5: issuers[0].jwks_url: must have at most 2048 bytes"});
}

static void test_identifiers_of_discovered_issuers(void **state)
{
    static const char OLD[] = "  - issuer: https://idp.example.com/\n" JWKS;
    for (size_t i = 0; i < sizeof(BAD_URLS) / sizeof(BAD_URLS[0]); i++) {
        char lines[256];
        char expected[256];
        bool is_about_text = strstr(BAD_URLS[i].expected, "control") != NULL || BAD_URLS[i].url[0] == '\0';
        snprintf(lines, sizeof(lines), "  - issuer: \"%s\"\n    discover: true\n", BAD_URLS[i].url);
        snprintf(expected, sizeof(expected), ":4: issuers[0].issuer: %s%s",
                 is_about_text ? "" : "with discover: true it ", BAD_URLS[i].expected);
        assert_url_refused(*state, &(refusal_t){OLD, lines, expected});
    }
    static const refusal_t CHANGES[] = {
        {OLD, "  - issuer: https://idp.example.com/?a=b\n    discover: true\n",
         ":4: issuers[0].issuer: with discover: true it must not have a query"},
        {OLD, "  - issuer: https://idp.example.com?\n    discover: true\n",
         ":4: issuers[0].issuer: with discover: true it must not have a query"},
        {OLD, "  - issuer: http://idp.example.com\n    discover: true\n    allow_http: false\n",
         ":4: issuers[0].issuer: with discover: true it " NO_HTTP},
        {OLD, "  - issuer: accounts\n    discover: true\n    allow_http: true\n",
         ":4: issuers[0].issuer: with discover: true it " HTTPS_ONLY},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_authorities(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    fixture_write(fixture, "empty.pem", "");
    static const refusal_t CHANGES[] = {
        {JWKS, URL "    ca_file: absent.pem\n",
         ":6: issuers[0].ca_file: cannot read \"@/absent.pem\": No such file or directory"},
        {JWKS, URL "    ca_file: /\n", ":6: issuers[0].ca_file: cannot read \"/\": Is a directory"},
        {JWKS, URL "    ca_file: ''\n", ":6: issuers[0].ca_file: must not be empty"},
        {JWKS, URL "    ca_file: empty.pem\n",
         ":6: issuers[0].ca_file: \"@/empty.pem\": holds no certificate in PEM"},
        {JWKS, URL "    ca_file: key.pem\n",
         ":6: issuers[0].ca_file: \"@/key.pem\": holds no certificate in PEM"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

#define DURATION(path, bounds, value)                                                                        \
    ":6: issuers[0]." path ": must be a duration in s, m, h or d from " bounds ", not \"" value "\""

static void test_numbers(void **state)
{
    static const char BYTES[] =
        ":6: issuers[0].fetch_max_bytes: must be a size in bytes, KiB, MiB or GiB from 1KiB to 16MiB, not *";
    static const refusal_t CHANGES[] = {
        {JWKS, URL "    connect_timeout: 0\n", DURATION("connect_timeout", "1s to 1m", "0")},
        {JWKS, URL "    connect_timeout: 61s\n", DURATION("connect_timeout", "1s to 1m", "61s")},
        {JWKS, URL "    connect_timeout: 5\n", DURATION("connect_timeout", "1s to 1m", "5")},
        {JWKS, URL "    connect_timeout: 100ms\n", DURATION("connect_timeout", "1s to 1m", "100ms")},
        {JWKS, URL "    fetch_timeout: 0s\n", DURATION("fetch_timeout", "1s to 5m", "0s")},
        {JWKS, URL "    fetch_timeout: 301s\n", DURATION("fetch_timeout", "1s to 5m", "301s")},
        {JWKS, URL "    fetch_max_bytes: 1023\n", BYTES},
        {JWKS, URL "    fetch_max_bytes: 0\n", BYTES},
        {JWKS, URL "    fetch_max_bytes: 16777217\n", BYTES},
        {JWKS, URL "    refresh_min: 0\n", DURATION("refresh_min", "1s to 1d", "0")},
        {JWKS, URL "    refresh_min: 25h\n", DURATION("refresh_min", "1s to 1d", "25h")},
        {JWKS, URL "    refresh_max: 0\n", DURATION("refresh_max", "1s to 7d", "0")},
        {JWKS, URL "    refresh_max: 8d\n", DURATION("refresh_max", "1s to 7d", "8d")},
        {JWKS, URL "    refresh_max: 59s\n    refresh_min: 1m\n", DURATION("refresh_max", "1m to 7d", "59s")},
        {JWKS, URL "    cooldown: 0\n", DURATION("cooldown", "1s to 1h", "0")},
        {JWKS, URL "    cooldown: 61m\n", DURATION("cooldown", "1s to 1h", "61m")},
        {JWKS, URL "    stale_max: 31d\n", DURATION("stale_max", "15m to 30d", "31d")},
        {JWKS, URL "    stale_max: 0\n", DURATION("stale_max", "15m to 30d", "0")},
        {JWKS, URL "    stale_max: 899s\n", DURATION("stale_max", "15m to 30d", "899s")},
        {JWKS, URL "    stale_max: 59m\n    refresh_max: 1h\n", DURATION("stale_max", "1h to 30d", "59m")},
        {JWKS, URL "    stale_max: 59m\n    refresh_min: 1h\n", DURATION("stale_max", "1h to 30d", "59m")},
        {JWKS, URL "    stale_max: 4s\n    refresh_max: 5s\n", DURATION("stale_max", "5s to 30d", "4s")},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_max_keys_tried(void **state)
{
    static const refusal_t CHANGES[] = {
        {JWKS, JWKS "    max_keys_tried: 0\n",
         ":6: issuers[0].max_keys_tried: must be an integer from 1 to 64, not \"0\""},
        {JWKS, JWKS "    max_keys_tried: 65\n",
         ":6: issuers[0].max_keys_tried: must be an integer from 1 to 64, not \"65\""},
        {JWKS, URL "    max_keys_tried: '8'\n",
         ":6: issuers[0].max_keys_tried: must be an integer from 1 to 64, not \"8\""},
        {JWKS, URL "    max_keys_tried: all\n", ":6: issuers[0].max_keys_tried: must be an integer *"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_sources),
        FIXTURE_TEST(test_keys_about_fetching_beside_a_file),
        FIXTURE_TEST(test_booleans),
        FIXTURE_TEST(test_urls),
        FIXTURE_TEST(test_a_url_that_is_too_long),
        FIXTURE_TEST(test_identifiers_of_discovered_issuers),
        FIXTURE_TEST(test_authorities),
        FIXTURE_TEST(test_numbers),
        FIXTURE_TEST(test_max_keys_tried),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
