#include "config_refusal.h"

static void assert_note(const fixture_t *fixture, const char *jwks, const char *expected)
{
    fixture_write(fixture, "jwks.json", jwks);
    config_t *config = fixture_load(fixture, REFUSAL_BASE);
    assert_true(config->note_count >= 1);
    const char *note = config->notes[config->note_count - 1];
    char text[512];
    snprintf(text, sizeof(text), "%s:5: issuers[0].jwks_file: %s", fixture->config_file, expected);
    if (strncmp(note, text, strlen(text)) != 0)
        fail_msg("\"%s\" does not begin with \"%s\"", note, text);
    assert_null(strchr(note, '\n'));
    config_free(config);
}

static void test_notes(void **state)
{
    const fixture_t *fixture = *state;
    assert_note(fixture, "{\"keys\":[]}", "warning: no usable key; no token of this issuer can be verified");
    assert_note(fixture, "{\"keys\":[" FIXTURE_EC_KEY "]}",
                "warning: no key fits the algorithms; no token of this issuer can be verified");
    assert_note(fixture, "{\"keys\":[" FIXTURE_RSA_KEY ",{\"kty\":\"PQC\"}]}", "key 1 skipped: ");
    assert_note(fixture, "{\"keys\":[{\"kty\":\"PQC\",\"kid\":\"x\"}," FIXTURE_RSA_KEY "]}",
                "key 0 (kid \"x\") skipped: ");
    assert_note(fixture, "{\"keys\":[{\"kty\":\"PQC\",\"kid\":\"a\\nb\"}," FIXTURE_RSA_KEY "]}",
                "key 0 (kid \"a?b\") skipped: ");
}

static void test_note_on_published_private_key(void **state)
{
    const fixture_t *fixture = *state;
    /* RFC 7515 appendix A.3. */
    static const char JWKS[] =
        "{\"keys\":[" FIXTURE_RSA_KEY ",{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"p\",\"x\":"
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
        "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}]}";
    assert_note(fixture, JWKS, "key 1 (kid \"p\"): warning: ");
}

static void test_note_on_ineffective_audience_claim(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = fixture_load(
        fixture, "listen: [ address: 127.0.0.1:8080 ]\n"
                 "issuers:\n"
                 "  - { issuer: i, jwks_file: jwks.json, algorithms: [RS256], audience: any,\n"
                 "      audience_claim: azp }\n"
                 "clients: [{ client_id: c, client_secret_files: [front.secret], profile: rfc7662 }]\n");
    assert_int_equal(config->note_count, 1);
    assert_non_null(strstr(config->notes[0], ":4: issuers[0].audience_claim: warning: "));
    config_free(config);
}

static void test_note_on_trusting_everybody(void **state)
{
    static const char *const PREFIXES[] = {"0.0.0.0/0", "::/0", "0.0.0.0/1", "8000::/1"};
    for (size_t i = 0; i < sizeof(PREFIXES) / sizeof(PREFIXES[0]); i++) {
        char yaml[2048];
        snprintf(yaml, sizeof(yaml), "trusted_proxies: [\"%s\"]\n%s", PREFIXES[i], REFUSAL_BASE);
        config_t *config = fixture_load(*state, yaml);
        assert_int_equal(config->note_count, i < 2);
        if (i < 2)
            assert_non_null(strstr(config->notes[0], ":1: trusted_proxies[0]: warning: "));
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_notes),
        FIXTURE_TEST(test_note_on_published_private_key),
        FIXTURE_TEST(test_note_on_trusting_everybody),
        FIXTURE_TEST(test_note_on_ineffective_audience_claim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
