#include "config_refusal.h"

#define ALGORITHMS "HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA"

static void test_issuers(void **state)
{
    static const char AUDIENCE[] = "[https://channels.example.com]";
    static const refusal_t CHANGES[] = {
        {"issuers:\n", "issuers: []\nx:\n", ":4: x: unknown key"},
        {"https://idp.example.com/", "''", ":4: issuers[0].issuer: must not be empty"},
        {"https://idp.example.com/", "null", ":4: issuers[0].issuer: must have a value"},
        {"https://idp.example.com/", "\"a\\nb\"", ":4: issuers[0].issuer: must not hold control characters"},
        {"https://idp.example.com/", "{}",
         ":4: issuers[0].issuer: must be a single value, not a list or a mapping"},
        {"clients:\n",
         "  - { issuer: 'https://idp.example.com/', jwks_file: x, algorithms: x, audience: x }\nclients:\n",
         ":8: issuers[1].issuer: the same issuer as issuers[0]"},
        {"[RS256]", "[]", ":6: issuers[0].algorithms: must not be empty"},
        {"[RS256]", "RS256", ":6: issuers[0].algorithms: must be a list"},
        {"[RS256]", "[RS256, ES256, RS256]", ":6: issuers[0].algorithms[2]: RS256 is given twice"},
        {"[RS256]", "\n      - RS256\n      - none\n",
         ":8: issuers[0].algorithms[1]: must be one of " ALGORITHMS ", not \"none\""},
        {"[RS256]", "[rs256]", ":6: issuers[0].algorithms[0]: must be one of " ALGORITHMS ", not \"rs256\""},
        {"[RS256]", "[[RS256]]",
         ":6: issuers[0].algorithms[0]: must be a single value, not a list or a mapping"},
        {"[RS256]", "[a, a, a, a, a, a, a, a, a, a, a, a, a, a]",
         ":6: issuers[0].algorithms: must have at most 13 items, not 14"},
        {AUDIENCE, "[]", ":7: issuers[0].audience: must not be empty"},
        {AUDIENCE, "''", ":7: issuers[0].audience: must not be empty"},
        {AUDIENCE, "", ":7: issuers[0].audience: must have a value"},
        {AUDIENCE, "{a: b}", ":7: issuers[0].audience: must be a single value, not a list or a mapping"},
        {AUDIENCE, "[a, '']", ":7: issuers[0].audience[1]: must not be empty"},
        {AUDIENCE, "\n      - a\n      - [any]\n",
         ":9: issuers[0].audience[1]: must be a single value, not a list or a mapping"},
        {AUDIENCE, "a\n    audience_claim: ''", ":8: issuers[0].audience_claim: must not be empty"},
        {AUDIENCE, "a\n    audience_claim: /~2", ":8: issuers[0].audience_claim: *"},
        {AUDIENCE, "a\n    token_types: at+jwt", ":8: issuers[0].token_types: must be a list"},
        {AUDIENCE, "a\n    token_types: []", ":8: issuers[0].token_types: must not be empty"},
        {AUDIENCE, "a\n    token_types: [x, Application/]",
         ":8: issuers[0].token_types[1]: must have a type behind application/"},
        {AUDIENCE, "a\n    require: [a]", ":8: issuers[0].require: must be a mapping"},
        {AUDIENCE, "a\n    require:", ":8: issuers[0].require: must be a mapping"},
        {AUDIENCE, "a\n    require:\n      a: b\n      a: c",
         ":10: issuers[0].require.a: given twice (first on line 9)"},
        {AUDIENCE, "a\n    require:\n      '': c", ":9: issuers[0].require[\"\"]: a key must not be empty"},
        {AUDIENCE, "a\n    require:\n      \"a\\0b\": c",
         ":9: issuers[0].require[\"a?b\"]: a key must not hold U+0000"},
        {AUDIENCE, "a\n    require:\n      /~2: c", ":9: issuers[0].require[\"/~2\"]: *"},
        {AUDIENCE, "a\n    require:\n      a: null", ":9: issuers[0].require.a: must have a value"},
        {AUDIENCE, "a\n    require:\n      a:", ":9: issuers[0].require.a: must have a value"},
        {AUDIENCE, "a\n    require:\n      a: ~", ":9: issuers[0].require.a: must have a value"},
        {AUDIENCE, "a\n    require:\n      a:\n        - b",
         ":10: issuers[0].require.a: must be a single value, not a list or a mapping"},
        {AUDIENCE, "a\n    require: { a: \"\\0\" }",
         ":8: issuers[0].require.a: must not hold control characters"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_jwks_files(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "text.json", "hello");
    fixture_write(fixture, "object.json", "{\"a\":1}");
    char *huge = malloc(4 << 20);
    assert_non_null(huge);
    memset(huge, ' ', 4 << 20);
    fixture_write_bytes(fixture, "edge.json", huge, 4 << 20);
    char path[256];
    snprintf(path, sizeof(path), "%s/huge.json", fixture->directory);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(huge, 1, 4 << 20, file), 4 << 20);
    fputc(' ', file);
    fclose(file);
    free(huge);
    static const refusal_t CHANGES[] = {
        {"jwks.json", "absent.json",
         ":5: issuers[0].jwks_file: cannot read \"@/absent.json\": No such file or directory"},
        {"jwks.json", "/", ":5: issuers[0].jwks_file: cannot read \"/\": Is a directory"},
        {"jwks.json", "''", ":5: issuers[0].jwks_file: must not be empty"},
        {"jwks.json", "text.json", ":5: issuers[0].jwks_file: \"@/text.json\": *"},
        {"jwks.json", "object.json", ":5: issuers[0].jwks_file: \"@/object.json\": *"},
        {"jwks.json", "edge.json", ":5: issuers[0].jwks_file: \"@/edge.json\": *"},
        {"jwks.json", "huge.json", ":5: issuers[0].jwks_file: cannot read \"@/huge.json\": over 4 MiB"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_issuers),
        FIXTURE_TEST(test_jwks_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
