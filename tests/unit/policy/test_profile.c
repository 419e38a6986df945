#include "introspectd/profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static void test_names(void **state)
{
    (void)state;
    static const char *const refused[] = {"",         "front", "Front_private", "front_private ",
                                          "rfc7662x", "rfc766"};
    profile_t profile = PROFILE_RFC7662;

    assert_true(profile_from_name(slice_of("front_private"), &profile));
    assert_int_equal(profile, PROFILE_FRONT_PRIVATE);
    assert_true(profile_from_name(slice_of("front_shared"), &profile));
    assert_int_equal(profile, PROFILE_FRONT_SHARED);
    assert_true(profile_from_name(slice_of("rfc7662"), &profile));
    assert_int_equal(profile, PROFILE_RFC7662);
    assert_false(profile_from_name((slice_t){NULL, 0}, &profile));
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_false(profile_from_name(slice_of(refused[i]), &profile));
    assert_int_equal(profile, PROFILE_RFC7662);

    assert_string_equal(profile_name(PROFILE_FRONT_PRIVATE), "front_private");
    assert_string_equal(profile_name(PROFILE_FRONT_SHARED), "front_shared");
    assert_string_equal(profile_name(PROFILE_RFC7662), "rfc7662");
}

static void test_status_of_an_inactive_token(void **state)
{
    (void)state;
    assert_int_equal(profile_inactive_status(PROFILE_FRONT_PRIVATE), 401);
    assert_int_equal(profile_inactive_status(PROFILE_FRONT_SHARED), 401);
    assert_int_equal(profile_inactive_status(PROFILE_RFC7662), 200);
}

static void test_required_members(void **state)
{
    (void)state;
    assert_string_equal(profile_required_member(PROFILE_FRONT_PRIVATE, 0), "front_channel_name");
    assert_string_equal(profile_required_member(PROFILE_FRONT_PRIVATE, 1), "front_channel_address");
    assert_null(profile_required_member(PROFILE_FRONT_PRIVATE, 2));
    assert_string_equal(profile_required_member(PROFILE_FRONT_SHARED, 0), "resource_owner_id");
    assert_string_equal(profile_required_member(PROFILE_FRONT_SHARED, 1), "resource_owner_name");
    assert_null(profile_required_member(PROFILE_FRONT_SHARED, 2));
    assert_null(profile_required_member(PROFILE_FRONT_SHARED, SIZE_MAX));
    assert_null(profile_required_member(PROFILE_RFC7662, 0));
}

static void test_allowed_members(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        bool front_private, front_shared, rfc7662;
    } cases[] = {
        {"active", false, false, false},
        {"front_channel_name", true, false, true},
        {"front_channel_address", true, false, true},
        {"resource_owner_id", false, true, true},
        {"resource_owner_name", false, true, true},
        {"resrouce_owner_name", true, true, true},
        {"Active", true, true, true},
        {"tenant", true, true, true},
        {"sub", true, true, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(profile_allows_member(PROFILE_FRONT_PRIVATE, cases[i].member),
                         cases[i].front_private);
        assert_int_equal(profile_allows_member(PROFILE_FRONT_SHARED, cases[i].member), cases[i].front_shared);
        assert_int_equal(profile_allows_member(PROFILE_RFC7662, cases[i].member), cases[i].rfc7662);
    }
}

static void expect_standard(profile_t profile, const char *payload_text, const char *expected_text)
{
    json_t *payload = json_loads(payload_text, 0, NULL);
    json_t *expected = json_loads(expected_text, 0, NULL);
    json_t *answer = json_pack("{s:b}", "active", 1);

    assert_non_null(payload);
    assert_non_null(expected);
    assert_non_null(answer);
    assert_true(profile_add_standard_members(profile, payload, answer));
    json_decref(payload);
    if (!json_equal(answer, expected)) {
        char *got = json_dumps(answer, JSON_SORT_KEYS);
        print_error("%s gave %s\n", payload_text, got);
        free(got);
        fail();
    }
    json_decref(answer);
    json_decref(expected);
}

static void test_front_profiles_add_nothing(void **state)
{
    (void)state;
    static const char payload[] = "{\"sub\":\"u\",\"exp\":100,\"scope\":\"a\"}";

    expect_standard(PROFILE_FRONT_PRIVATE, payload, "{\"active\":true}");
    expect_standard(PROFILE_FRONT_SHARED, payload, "{\"active\":true}");
}

static void test_rfc7662_takes_the_members_of_section_2_2(void **state)
{
    (void)state;
    expect_standard(
        PROFILE_RFC7662,
        "{\"scope\":\"read write\",\"client_id\":\"c\",\"username\":\"n\",\"token_type\":\"Bearer\","
        "\"exp\":1000,\"iat\":900,\"nbf\":901,\"sub\":\"u\",\"aud\":\"a\",\"iss\":\"i\","
        "\"jti\":\"j\",\"email\":\"private\",\"active\":false,\"azp\":\"x\"}",
        "{\"active\":true,\"scope\":\"read write\",\"client_id\":\"c\",\"username\":\"n\","
        "\"token_type\":\"Bearer\",\"exp\":1000,\"iat\":900,\"nbf\":901,\"sub\":\"u\",\"aud\":\"a\","
        "\"iss\":\"i\",\"jti\":\"j\"}");
    expect_standard(PROFILE_RFC7662, "{}", "{\"active\":true}");
}

static void test_rfc7662_audience_shapes(void **state)
{
    (void)state;
    expect_standard(PROFILE_RFC7662, "{\"aud\":[\"a\",\"b\"]}", "{\"active\":true,\"aud\":[\"a\",\"b\"]}");
    expect_standard(PROFILE_RFC7662, "{\"aud\":[\"a\",5]}", "{\"active\":true}");
    expect_standard(PROFILE_RFC7662, "{\"aud\":[[\"a\"]]}", "{\"active\":true}");
    expect_standard(PROFILE_RFC7662, "{\"aud\":{\"a\":\"b\"}}", "{\"active\":true}");
    expect_standard(PROFILE_RFC7662, "{\"aud\":7}", "{\"active\":true}");
    expect_standard(PROFILE_RFC7662, "{\"aud\":null}", "{\"active\":true}");
}

static void test_rfc7662_dates_are_integers(void **state)
{
    (void)state;
    expect_standard(PROFILE_RFC7662, "{\"exp\":1000.9,\"iat\":0.5,\"nbf\":7.0}",
                    "{\"active\":true,\"exp\":1000,\"iat\":0,\"nbf\":7}");
    expect_standard(PROFILE_RFC7662, "{\"exp\":\"1000\",\"iat\":null,\"nbf\":true}", "{\"active\":true}");
    expect_standard(PROFILE_RFC7662, "{\"exp\":1e300,\"iat\":-1e300,\"nbf\":-1}", "{\"active\":true}");
    expect_standard(PROFILE_RFC7662, "{\"exp\":[1],\"iat\":{},\"nbf\":9223372036854775807}",
                    "{\"active\":true}");
}

static void test_rfc7662_leaves_out_wrong_types(void **state)
{
    (void)state;
    expect_standard(PROFILE_RFC7662,
                    "{\"scope\":[\"a\",\"b\"],\"client_id\":5,\"username\":null,\"token_type\":true,"
                    "\"sub\":{},\"iss\":1.5,\"jti\":[]}",
                    "{\"active\":true}");
    static const char *const members[] = {"scope", "client_id", "username", "token_type",
                                          "sub",   "iss",       "jti"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char payload[64];
        snprintf(payload, sizeof(payload), "{\"%s\":[\"a\"]}", members[i]);
        expect_standard(PROFILE_RFC7662, payload, "{\"active\":true}");
    }
}

static unsigned allocations_left;

static void *failing_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    allocations_left--;
    return malloc(size);
}

static void test_no_memory_is_told(void **state)
{
    (void)state;
    json_t *payload = json_loads("{\"exp\":1000.5,\"sub\":\"u\",\"aud\":[\"a\"],\"iss\":\"i\"}", 0, NULL);
    bool is_done = false;
    unsigned failures = 0;

    assert_non_null(payload);
    while (!is_done) {
        json_t *answer = json_object();
        allocations_left = failures;
        json_set_alloc_funcs(failing_malloc, free);
        is_done = profile_add_standard_members(PROFILE_RFC7662, payload, answer);
        json_set_alloc_funcs(malloc, free);
        assert_int_equal(json_object_size(answer) == 4, is_done);
        failures += !is_done;
        json_decref(answer);
    }
    assert_in_range(failures, 4, 100);
    json_decref(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_status_of_an_inactive_token),
        cmocka_unit_test(test_required_members),
        cmocka_unit_test(test_allowed_members),
        cmocka_unit_test(test_front_profiles_add_nothing),
        cmocka_unit_test(test_rfc7662_takes_the_members_of_section_2_2),
        cmocka_unit_test(test_rfc7662_audience_shapes),
        cmocka_unit_test(test_rfc7662_dates_are_integers),
        cmocka_unit_test(test_rfc7662_leaves_out_wrong_types),
        cmocka_unit_test(test_no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
