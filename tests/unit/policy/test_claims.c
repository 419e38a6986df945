#include "claims_fixture.h"

#include <stdio.h>
#include <stdlib.h>

static char issuer[] = "https://issuer.example/";
static char audience[] = "https://api.example";
static char second_audience[] = "channel";
static char *audiences[] = {audience, second_audience};

static const slice_t no_type = {NULL, 0};

static claims_rules_t basic_rules(void)
{
    return (claims_rules_t){.issuer = issuer, .audiences = audiences, .audience_count = 2};
}

/* members go behind a good issuer and audience. */
static void expect_with(int64_t leeway_s, const char *members, int64_t now_s, reason_t expected)
{
    claims_rules_t rules = basic_rules();
    char text[512];

    rules.leeway_s = leeway_s;
    snprintf(text, sizeof(text), "{\"iss\":\"https://issuer.example/\",\"aud\":\"https://api.example\"%s%s}",
             members[0] == '\0' ? "" : ",", members);
    expect(&rules, no_type, text, now_s, expected);
}

static void test_expiry_to_the_second(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        int64_t leeway_s;
        int64_t last_good_s;
    } cases[] = {
        {"\"exp\":1000", 0, 999},
        {"\"exp\":1000", 30, 1029},
        {"\"exp\":1000.0", 0, 999},
        {"\"exp\":1000.5", 0, 1000},
        {"\"exp\":1000.5", 30, 1030},
        {"\"exp\":999.999999", 0, 999},
        {"\"exp\":1000.000001", 30, 1030},
        {"\"exp\":1e3", 0, 999},
        {"\"exp\":253402300799", 30, 253402300828},
        {"\"exp\":253402300798.5", 0, 253402300798},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_with(cases[i].leeway_s, cases[i].members, cases[i].last_good_s - 1, REASON_NONE);
        expect_with(cases[i].leeway_s, cases[i].members, cases[i].last_good_s, REASON_NONE);
        expect_with(cases[i].leeway_s, cases[i].members, cases[i].last_good_s + 1, REASON_EXPIRED);
        expect_with(cases[i].leeway_s, cases[i].members, INT64_MAX, REASON_EXPIRED);
    }
    expect_with(0, "\"exp\":0", 0, REASON_EXPIRED);
    expect_with(1, "\"exp\":0", 0, REASON_NONE);
    expect_with(INT64_MAX, "\"exp\":1000", INT64_MAX, REASON_NONE);
}

static void test_not_before_to_the_second(void **state)
{
    (void)state;
    static const struct {
        const char *members;
        int64_t leeway_s;
        int64_t first_good_s;
    } cases[] = {
        {"\"exp\":9000,\"nbf\":1000", 0, 1000},   {"\"exp\":9000,\"nbf\":1000", 30, 970},
        {"\"exp\":9000,\"nbf\":1000.5", 0, 1001}, {"\"exp\":9000,\"nbf\":1000.5", 30, 971},
        {"\"exp\":9000,\"nbf\":1000.0", 0, 1000}, {"\"exp\":9000,\"nbf\":999.000001", 0, 1000},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_with(cases[i].leeway_s, cases[i].members, cases[i].first_good_s + 1, REASON_NONE);
        expect_with(cases[i].leeway_s, cases[i].members, cases[i].first_good_s, REASON_NONE);
        expect_with(cases[i].leeway_s, cases[i].members, cases[i].first_good_s - 1, REASON_NOT_YET_VALID);
        expect_with(cases[i].leeway_s, cases[i].members, 0, REASON_NOT_YET_VALID);
    }
    expect_with(0, "\"exp\":9000,\"nbf\":0", 0, REASON_NONE);
    expect_with(INT64_MAX, "\"exp\":9000,\"nbf\":8000", 0, REASON_NONE);
}

static void test_issued_in_the_future_is_no_reason(void **state)
{
    (void)state;
    expect_with(0, "\"exp\":9000,\"iat\":8000", 1000, REASON_NONE);
    expect_with(0, "\"exp\":9000,\"iat\":253402300799", 1000, REASON_NONE);
    expect_with(0, "\"exp\":9000,\"iat\":0.25", 1000, REASON_NONE);
}

static void test_dates_that_are_none(void **state)
{
    (void)state;
    static const char *const values[] = {
        "\"2000\"",
        "\"\"",
        "null",
        "true",
        "false",
        "[2000]",
        "{\"s\":2000}",
        "-1",
        "-0.5",
        "1e300",
        "-1e300",
        "253402300800",
        "253402300799.5",
        "9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "1e18",
    };

    for (size_t i = 0; i < COUNT(values); i++) {
        char members[128];
        snprintf(members, sizeof(members), "\"exp\":%s", values[i]);
        expect_with(0, members, 1000, REASON_INVALID_CLAIM);
        snprintf(members, sizeof(members), "\"exp\":9000,\"nbf\":%s", values[i]);
        expect_with(0, members, 1000, REASON_INVALID_CLAIM);
        snprintf(members, sizeof(members), "\"exp\":9000,\"iat\":%s", values[i]);
        expect_with(0, members, 1000, REASON_INVALID_CLAIM);
    }
    expect_with(0, "", 1000, REASON_MISSING_EXPIRY);
    expect_with(0, "\"EXP\":9000", 1000, REASON_MISSING_EXPIRY);
    expect_with(30, "\"nbf\":1,\"iat\":1", 1000, REASON_MISSING_EXPIRY);
}

static void test_times_are_told(void **state)
{
    (void)state;
    claims_rules_t rules = basic_rules();
    claims_times_t times;

    assert_int_equal(check_text(&rules, no_type,
                                "{\"iss\":\"https://issuer.example/\",\"aud\":\"channel\",\"exp\":1000.9,"
                                "\"nbf\":10.5,\"iat\":9}",
                                500, &times),
                     REASON_NONE);
    assert_int_equal(times.exp_s, 1000);
    assert_true(times.has_nbf);
    assert_int_equal(times.nbf_s, 10);
    assert_true(times.has_iat);
    assert_int_equal(times.iat_s, 9);

    memset(&times, 0xFF, sizeof(times));
    assert_int_equal(check_text(&rules, no_type, "{\"exp\":\"soon\",\"iat\":7}", 500, &times),
                     REASON_INVALID_CLAIM);
    assert_int_equal(times.exp_s, 0);
    assert_false(times.has_nbf);
    assert_int_equal(times.nbf_s, 0);
    assert_true(times.has_iat);
    assert_int_equal(times.iat_s, 7);

    assert_int_equal(check_text(&rules, no_type, "{\"exp\":400,\"nbf\":300,\"iat\":null}", 500, &times),
                     REASON_EXPIRED);
    assert_int_equal(times.exp_s, 400);
    assert_true(times.has_nbf);
    assert_int_equal(times.nbf_s, 300);
    assert_false(times.has_iat);
}

static void test_issuer_is_exact(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "{\"aud\":\"channel\",\"exp\":2000}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":\"https://issuer.example\"}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":\"https://issuer.example//\"}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":\"https://Issuer.example/\"}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":\"\"}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":null}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":5}",
        "{\"aud\":\"channel\",\"exp\":2000,\"iss\":[\"https://issuer.example/\"]}",
    };
    claims_rules_t rules = basic_rules();

    for (size_t i = 0; i < COUNT(refused); i++)
        expect(&rules, no_type, refused[i], 1000, REASON_WRONG_ISSUER);
    expect(&rules, no_type, "{\"aud\":\"channel\",\"exp\":2000,\"iss\":\"https://issuer.example/\"}", 1000,
           REASON_NONE);
}

static void test_audience_shapes(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        reason_t expected;
    } cases[] = {
        {"\"aud\":\"https://api.example\"", REASON_NONE},
        {"\"aud\":\"channel\"", REASON_NONE},
        {"\"aud\":[\"https://api.example\"]", REASON_NONE},
        {"\"aud\":[\"other\",\"channel\"]", REASON_NONE},
        {"\"aud\":\"https://api.example/\"", REASON_WRONG_AUDIENCE},
        {"\"aud\":\"Channel\"", REASON_WRONG_AUDIENCE},
        {"\"aud\":\"channel other\"", REASON_WRONG_AUDIENCE},
        {"\"aud\":\"\"", REASON_WRONG_AUDIENCE},
        {"\"aud\":[]", REASON_WRONG_AUDIENCE},
        {"\"aud\":[\"other\",\"another\"]", REASON_WRONG_AUDIENCE},
        {"\"azp\":\"channel\"", REASON_WRONG_AUDIENCE},
        {"\"aud\":null", REASON_INVALID_CLAIM},
        {"\"aud\":5", REASON_INVALID_CLAIM},
        {"\"aud\":true", REASON_INVALID_CLAIM},
        {"\"aud\":{\"channel\":true}", REASON_INVALID_CLAIM},
        {"\"aud\":[\"channel\",5]", REASON_INVALID_CLAIM},
        {"\"aud\":[null,\"channel\"]", REASON_INVALID_CLAIM},
        {"\"aud\":[[\"channel\"]]", REASON_INVALID_CLAIM},
    };
    claims_rules_t rules = basic_rules();

    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[256];
        snprintf(text, sizeof(text), "{\"iss\":\"https://issuer.example/\",\"exp\":2000,%s}",
                 cases[i].member);
        rules.audience_is_any = false;
        expect(&rules, no_type, text, 1000, cases[i].expected);
        rules.audience_is_any = true;
        expect(&rules, no_type, text, 1000, REASON_NONE);
    }
}

static void test_no_audience_configured_refuses(void **state)
{
    (void)state;
    claims_rules_t rules = basic_rules();

    rules.audience_count = 0;
    expect(&rules, no_type, "{\"iss\":\"https://issuer.example/\",\"exp\":2000,\"aud\":\"channel\"}", 1000,
           REASON_WRONG_AUDIENCE);
    expect(&rules, no_type, "{\"iss\":\"https://issuer.example/\",\"exp\":2000}", 1000,
           REASON_WRONG_AUDIENCE);
}

static void test_audience_in_another_claim(void **state)
{
    (void)state;
    claims_rules_t rules = basic_rules();

    rules.audience_claim = path_of("/ext/audience");
    expect(&rules, no_type,
           "{\"iss\":\"https://issuer.example/\",\"exp\":2000,\"ext\":{\"audience\":[\"channel\"]}}", 1000,
           REASON_NONE);
    expect(&rules, no_type, "{\"iss\":\"https://issuer.example/\",\"exp\":2000,\"aud\":\"channel\"}", 1000,
           REASON_WRONG_AUDIENCE);
    claim_path_free(rules.audience_claim);
}

static void test_type_comparison(void **state)
{
    (void)state;
    static char at_jwt[] = "at+jwt";
    static char jwt[] = "JWT";
    static char vendor[] = "text/token";
    static char *types[] = {at_jwt, jwt, vendor};
    static const struct {
        slice_t typ;
        reason_t expected;
    } cases[] = {
        {{"at+jwt", 6}, REASON_NONE},
        {{"AT+JWT", 6}, REASON_NONE},
        {{"application/at+jwt", 18}, REASON_NONE},
        {{"Application/At+Jwt", 18}, REASON_NONE},
        {{"jwt", 3}, REASON_NONE},
        {{"text/token", 10}, REASON_NONE},
        {{"application/text/token", 22}, REASON_WRONG_TYPE},
        {{"application/application/jwt", 27}, REASON_WRONG_TYPE},
        {{"application/", 12}, REASON_WRONG_TYPE},
        {{"application", 11}, REASON_WRONG_TYPE},
        {{"app/jwt", 7}, REASON_WRONG_TYPE},
        {{"at+jwt ", 7}, REASON_WRONG_TYPE},
        {{"at+jw", 5}, REASON_WRONG_TYPE},
        {{"at+jwt\0", 7}, REASON_WRONG_TYPE},
        {{"at+jw\0", 6}, REASON_WRONG_TYPE},
        {{"", 0}, REASON_WRONG_TYPE},
        {{NULL, 0}, REASON_WRONG_TYPE},
    };
    static const char payload[] = "{\"iss\":\"https://issuer.example/\",\"exp\":2000,\"aud\":\"channel\"}";
    claims_rules_t rules = basic_rules();

    for (size_t i = 0; i < COUNT(cases); i++) {
        rules.token_types = types;
        rules.token_type_count = COUNT(types);
        expect(&rules, cases[i].typ, payload, 1000, cases[i].expected);
        rules.token_type_count = 0;
        expect(&rules, cases[i].typ, payload, 1000, REASON_NONE);
    }
}

static void expect_requirement(const char *claim, const char *value, bool matches_scalars, const char *member,
                               reason_t expected)
{
    claims_rules_t rules = basic_rules();
    char value_copy[64];
    char text[256];

    snprintf(value_copy, sizeof(value_copy), "%s", value);
    claims_requirement_t requirement = {path_of(claim), value_copy, matches_scalars};
    rules.requirements = &requirement;
    rules.requirement_count = 1;
    snprintf(text, sizeof(text), "{\"iss\":\"https://issuer.example/\",\"exp\":2000,\"aud\":\"channel\",%s}",
             member);
    expect(&rules, no_type, text, 1000, expected);
    claim_path_free(requirement.claim);
}

static void test_requirements(void **state)
{
    (void)state;
    static const struct {
        const char *claim;
        const char *value;
        const char *member;
        reason_t when_quoted;
        reason_t when_plain;
    } cases[] = {
        {"use", "access", "\"use\":\"access\"", REASON_NONE, REASON_NONE},
        {"use", "access", "\"use\":\"id\"", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"use", "access", "\"use\":\"Access\"", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"use", "access", "\"use\":\"access \"", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"use", "access", "\"use\":[\"access\"]", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"use", "access", "\"use\":null", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"use", "access", "\"other\":\"access\"", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"use", "", "\"use\":\"\"", REASON_NONE, REASON_NONE},
        {"/a/b/0", "x", "\"a\":{\"b\":[\"x\"]}", REASON_NONE, REASON_NONE},
        {"ok", "true", "\"ok\":\"true\"", REASON_NONE, REASON_NONE},
        {"ok", "true", "\"ok\":true", REASON_CLAIM_MISMATCH, REASON_NONE},
        {"ok", "true", "\"ok\":false", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ok", "false", "\"ok\":false", REASON_CLAIM_MISMATCH, REASON_NONE},
        {"ok", "True", "\"ok\":true", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ok", "1", "\"ok\":true", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ver", "2", "\"ver\":2", REASON_CLAIM_MISMATCH, REASON_NONE},
        {"ver", "2", "\"ver\":\"2\"", REASON_NONE, REASON_NONE},
        {"ver", "2", "\"ver\":2.0", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ver", "2.0", "\"ver\":2.0", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ver", "02", "\"ver\":2", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ver", "20", "\"ver\":2", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
        {"ver", "-9223372036854775808", "\"ver\":-9223372036854775808", REASON_CLAIM_MISMATCH, REASON_NONE},
        {"ver", "null", "\"ver\":null", REASON_CLAIM_MISMATCH, REASON_CLAIM_MISMATCH},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_requirement(cases[i].claim, cases[i].value, false, cases[i].member, cases[i].when_quoted);
        expect_requirement(cases[i].claim, cases[i].value, true, cases[i].member, cases[i].when_plain);
    }
}

static void test_every_requirement_counts(void **state)
{
    (void)state;
    static char one[] = "1";
    static char two[] = "2";
    claims_requirement_t requirements[] = {{path_of("a"), one, true}, {path_of("b"), two, true}};
    claims_rules_t rules = basic_rules();

    rules.audience_is_any = true;
    rules.requirements = requirements;
    rules.requirement_count = 2;
    expect(&rules, no_type, "{\"iss\":\"https://issuer.example/\",\"exp\":9,\"a\":1,\"b\":2}", 1,
           REASON_NONE);
    expect(&rules, no_type, "{\"iss\":\"https://issuer.example/\",\"exp\":9,\"a\":1,\"b\":1}", 1,
           REASON_CLAIM_MISMATCH);
    expect(&rules, no_type, "{\"iss\":\"https://issuer.example/\",\"exp\":9,\"a\":2,\"b\":2}", 1,
           REASON_CLAIM_MISMATCH);
    claim_path_free(requirements[0].claim);
    claim_path_free(requirements[1].claim);
}

/* Each line mends what the line before was refused for. */
static void test_first_reason_wins(void **state)
{
    (void)state;
    static char at_jwt[] = "at+jwt";
    static char *types[] = {at_jwt};
    static char access[] = "access";
    claims_requirement_t requirement = {path_of("use"), access, false};
    claims_rules_t rules = basic_rules();

    rules.token_types = types;
    rules.token_type_count = 1;
    rules.requirements = &requirement;
    rules.requirement_count = 1;
    const slice_t typ = slice_of("at+jwt");
    expect(&rules, no_type, "{\"nbf\":\"x\",\"iat\":\"x\",\"aud\":5}", 1000, REASON_WRONG_TYPE);
    expect(&rules, typ, "{\"nbf\":\"x\",\"iat\":\"x\",\"aud\":5}", 1000, REASON_MISSING_EXPIRY);
    expect(&rules, typ, "{\"exp\":\"x\",\"nbf\":\"x\",\"iat\":\"x\",\"aud\":5}", 1000, REASON_INVALID_CLAIM);
    expect(&rules, typ, "{\"exp\":1000,\"nbf\":\"x\",\"iat\":\"x\",\"aud\":5}", 1000, REASON_EXPIRED);
    expect(&rules, typ, "{\"exp\":1001,\"nbf\":1001,\"iat\":\"x\",\"aud\":5}", 1000, REASON_NOT_YET_VALID);
    expect(&rules, typ, "{\"exp\":1001,\"nbf\":1000,\"iat\":\"x\",\"aud\":5}", 1000, REASON_INVALID_CLAIM);
    expect(&rules, typ, "{\"exp\":1001,\"iss\":\"other\",\"aud\":5}", 1000, REASON_WRONG_ISSUER);
    expect(&rules, typ, "{\"exp\":1001,\"iss\":\"https://issuer.example/\",\"aud\":5}", 1000,
           REASON_INVALID_CLAIM);
    expect(&rules, typ, "{\"exp\":1001,\"iss\":\"https://issuer.example/\",\"aud\":\"x\"}", 1000,
           REASON_WRONG_AUDIENCE);
    expect(&rules, typ, "{\"exp\":1001,\"iss\":\"https://issuer.example/\",\"aud\":\"channel\"}", 1000,
           REASON_CLAIM_MISMATCH);
    expect(&rules, typ,
           "{\"exp\":1001,\"iss\":\"https://issuer.example/\",\"aud\":\"channel\",\"use\":\"access\"}", 1000,
           REASON_NONE);
    claim_path_free(requirement.claim);
}

static char *heap_text(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    return copy;
}

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        abort();
    return memory;
}

static void test_deinit_frees_everything(void **state)
{
    (void)state;
    claims_rules_t rules = {0};

    claims_rules_deinit(&rules);
    rules.issuer = heap_text("i");
    rules.audience_claim = path_of("client_id");
    rules.audiences = zeroed(2 * sizeof(char *));
    rules.token_types = zeroed(sizeof(char *));
    rules.requirements = zeroed(sizeof(claims_requirement_t));
    rules.audiences[0] = heap_text("a");
    rules.audiences[1] = heap_text("b");
    rules.audience_count = 2;
    rules.token_types[0] = heap_text("JWT");
    rules.token_type_count = 1;
    rules.requirements[0] = (claims_requirement_t){path_of("/a"), heap_text("v"), true};
    rules.requirement_count = 1;
    claims_rules_deinit(&rules);
    assert_null(rules.issuer);
    assert_int_equal(rules.audience_count, 0);
    claims_rules_deinit(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expiry_to_the_second),
        cmocka_unit_test(test_not_before_to_the_second),
        cmocka_unit_test(test_issued_in_the_future_is_no_reason),
        cmocka_unit_test(test_dates_that_are_none),
        cmocka_unit_test(test_times_are_told),
        cmocka_unit_test(test_issuer_is_exact),
        cmocka_unit_test(test_audience_shapes),
        cmocka_unit_test(test_no_audience_configured_refuses),
        cmocka_unit_test(test_audience_in_another_claim),
        cmocka_unit_test(test_type_comparison),
        cmocka_unit_test(test_requirements),
        cmocka_unit_test(test_every_requirement_counts),
        cmocka_unit_test(test_first_reason_wins),
        cmocka_unit_test(test_deinit_frees_everything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
