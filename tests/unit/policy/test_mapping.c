#include "introspectd/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static json_t *load(const char *text)
{
    json_t *object = json_loads(text, 0, NULL);

    if (object == NULL)
        fail_msg("not JSON: %s", text);
    return object;
}

static mapping_t *new_mapping(void)
{
    mapping_t *mapping = mapping_new();

    assert_non_null(mapping);
    return mapping;
}

/* Adds a member of up to three sources; NULL ends them. */
static void add(mapping_t *mapping, const char *member, bool is_required, const char *first,
                const char *second, const char *third)
{
    const char *const texts[] = {first, second, third};
    slice_t sources[COUNT(texts)];
    size_t count = 0;
    const char *error = NULL;

    while (count < COUNT(texts) && texts[count] != NULL) {
        sources[count] = slice_of(texts[count]);
        count++;
    }
    if (!mapping_add(mapping, member, is_required, sources, count, &error))
        fail_msg("%s: %s", first, error);
}

/* What one optional member gives; expected is NULL when it must be missing. */
static void expect_sources(const char *payload_text, const char *first, const char *second, const char *third,
                           const char *expected)
{
    mapping_t *mapping = new_mapping();
    json_t *payload = load(payload_text);
    json_t *answer = json_object();

    assert_non_null(answer);
    add(mapping, "m", false, first, second, third);
    assert_int_equal(mapping_apply(mapping, payload, answer, NULL), REASON_NONE);
    const char *value = json_string_value(json_object_get(answer, "m"));
    if (expected == NULL ? value != NULL : (value == NULL || strcmp(value, expected) != 0))
        fail_msg("%s of %s is %s, not %s", first, payload_text, value == NULL ? "missing" : value,
                 expected == NULL ? "missing" : expected);
    json_decref(answer);
    json_decref(payload);
    mapping_free(mapping);
}

static void expect(const char *payload_text, const char *source, const char *expected)
{
    expect_sources(payload_text, source, NULL, NULL, expected);
}

static void test_plain_sources(void **state)
{
    (void)state;
    expect("{\"sub\":\"u1\"}", "sub", "u1");
    expect("{\"https://ns.example/channel\":\"c 1\"}", "https://ns.example/channel", "c 1");
    expect("{\"a\":{\"b\":[\"x\",\"y\"]}}", "/a/b/1", "y");
    expect("{\"a}b\":\"x\"}", "a}b", "x");
    expect("{\"sub\":\"100%\"}", "sub", "100%");
    expect("{\"sub\":\"Zo\xC3\xAB \xE2\x82\xAC\"}", "sub", "Zo\xC3\xAB \xE2\x82\xAC");
}

static void test_integers_become_text(void **state)
{
    (void)state;
    expect("{\"id\":42}", "id", "42");
    expect("{\"id\":0}", "id", "0");
    expect("{\"id\":-7}", "id", "-7");
    expect("{\"id\":9223372036854775807}", "id", "9223372036854775807");
    expect("{\"id\":-9223372036854775808}", "id", "-9223372036854775808");
    expect("{\"id\":42}", "n {id}", "n 42");
    expect("{\"a\":-7,\"b\":8}", "{a}-{b}", "%2D7-8");
}

static void test_what_counts_as_missing(void **state)
{
    (void)state;
    static const char *const values[] = {
        "null",         "true",        "false",         "1.5",         "1.0",
        "1e3",          "{}",          "[\"a\"]",       "\"\"",        "\"a\\u0001\"",
        "\"a\\nb\"",    "\"\\t\"",     "\"a\\u001fb\"", "\"\\u007f\"", "\"\\u0080\"",
        "\"a\\u0085\"", "\"\\u009f\"", "{\"a\":\"b\"}",
    };

    for (size_t i = 0; i < COUNT(values); i++) {
        char payload[64];
        snprintf(payload, sizeof(payload), "{\"v\":%s}", values[i]);
        expect(payload, "v", NULL);
        expect(payload, "text {v}", NULL);
    }
    expect("{}", "v", NULL);
    expect("{\"a\":\"x\"}", "{a}-{b}", NULL);
    expect("{\"b\":\"x\"}", "{a}-{b}", NULL);
    /* the neighbours of the control characters */
    expect("{\"v\":\" \"}", "v", " ");
    expect("{\"v\":\"~\"}", "v", "~");
    expect("{\"v\":\"\\u00a0\"}", "v", "\xC2\xA0");
    expect("{\"v\":\"\\u00c2\\u00a0\"}", "v", "\xC3\x82\xC2\xA0");
}

/* A reserved character must not smuggle a control character in by its encoding. */
static void test_control_character_is_missing_though_it_would_be_encoded(void **state)
{
    (void)state;
    expect("{\"v\":\"\\u0085\"}", "\xC2\xB5 {v}", NULL);
}

static void test_nul_in_a_string_is_missing(void **state)
{
    (void)state;
    json_t *payload = json_loads("{\"v\":\"a\\u0000b\"}", JSON_ALLOW_NUL, NULL);
    json_t *answer = json_object();
    mapping_t *mapping = new_mapping();

    assert_non_null(payload);
    assert_non_null(answer);
    add(mapping, "m", false, "v", "x{v}", NULL);
    assert_int_equal(mapping_apply(mapping, payload, answer, NULL), REASON_NONE);
    assert_int_equal(json_object_size(answer), 0);
    mapping_free(mapping);
    json_decref(answer);
    json_decref(payload);
}

static void test_templates(void **state)
{
    (void)state;
    expect("{\"tid\":\"t1\",\"oid\":\"o1\"}", "{tid}:{oid}", "t1:o1");
    expect("{\"tid\":\"c1\",\"oid\":\"d1\"}", "entra {tid} / {oid}!", "entra c1 / d1!");
    expect("{\"a\":{\"b\":\"x\"}}", "pre {/a/b}", "pre x");
    expect("{\"https://ns.example/c\":\"x\"}", "{https://ns.example/c}", "x");
    expect("{\"a\":\"x\"}", "{a}", "x");
}

static void test_what_is_encoded(void **state)
{
    (void)state;
    expect("{\"a\":\"x:y\",\"b\":\"z\"}", "{a}:{b}", "x%3Ay:z");
    expect("{\"a\":\"x\",\"b\":\"y:z\"}", "{a}:{b}", "x:y%3Az");
    expect("{\"a\":\"50%\",\"b\":\"%3A\"}", "{a}:{b}", "50%25:%253A");
    expect("{\"a\":\"x/y z-\",\"b\":\"1\"}", "{a}:{b}", "x/y z-:1");
    expect("{\"a\":\"tel\"}", "tel {a}", "tel %74%65%6C");
    expect("{\"a\":\"\xC3\xA9\"}", "\xC3\xA9 {a}", "\xC3\xA9 %C3%A9");
    expect("{\"a\":\"x{y}\"}", "{a}:", "x{y}:");
    /* half of a character is never encoded: the lead byte C3 of the text is enough */
    expect("{\"a\":\"\xC3\xA8z\"}", "\xC3\xA9{a}", "\xC3\xA9%C3%A8z");
    expect("{\"a\":\"\xE2\x82\xAC\"}", "\xC2\xAC{a}", "\xC2\xAC%E2%82%AC");
    expect("{\"a\":\"\xF0\x9F\x98\x80\"}", "-{a}", "-\xF0\x9F\x98\x80");
    /* hex digits as text, `%` at the ends */
    expect("{\"a\":\"2:A\"}", "2{a}", "2%32:A");
    expect("{\"a\":\"x\"}", "%41{a}%", "%41x%");
}

static void expect_refused(const char *source)
{
    const slice_t sources[] = {slice_of("good"), slice_of(source)};
    mapping_t *mapping = new_mapping();
    const char *error = NULL;

    if (mapping_add(mapping, "m", true, sources, 2, &error) || error == NULL)
        fail_msg("%s was not refused with an error", source);
    assert_false(mapping_has(mapping, "m"));
    /* unchanged: a required member would be missing otherwise */
    json_t *empty = json_object();
    json_t *answer = json_object();
    assert_int_equal(mapping_apply(mapping, empty, answer, NULL), REASON_NONE);
    json_decref(empty);
    json_decref(answer);
    mapping_free(mapping);
}

static void test_refused_sources(void **state)
{
    (void)state;
    static const char *const sources[] = {
        "",
        "{",
        "{a",
        "a{",
        "{a}{",
        "{}",
        "x{}y",
        "{a}}",
        "}{a}",
        "{a} } {b}",
        "{a{b}}",
        "{{a}}",
        "{a}{b}",
        "{a}-{b}{c}",
        "{a}%{b}",
        "{a}%41{b}",
        "{/a~2}",
        "/a~",
        "\xFF{a}",
        "{a}\xC3",
        "{\xC3}",
        "a\xC3",
        "\n{a}",
        "{a}\x7F",
        "{a}\xC2\x85{b}",
        "{/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17}",
    };

    for (size_t i = 0; i < COUNT(sources); i++)
        expect_refused(sources[i]);
}

static void test_refused_members(void **state)
{
    (void)state;
    slice_t sources[MAPPING_MAX_SOURCES + 1];
    mapping_t *mapping = new_mapping();
    const char *error = NULL;

    for (size_t i = 0; i < COUNT(sources); i++)
        sources[i] = slice_of("a");
    assert_false(mapping_add(mapping, "m", false, sources, 0, &error));
    assert_non_null(error);
    assert_false(mapping_add(mapping, "m", false, sources, MAPPING_MAX_SOURCES + 1, &error));
    assert_false(mapping_add(mapping, "", false, sources, 1, &error));
    assert_false(mapping_add(mapping, "\xFF", false, sources, 1, &error));
    assert_true(mapping_add(mapping, "m", false, sources, MAPPING_MAX_SOURCES, &error));
    assert_false(mapping_add(mapping, "m", false, sources, 1, &error));
    assert_true(mapping_has(mapping, "m"));
    assert_false(mapping_has(mapping, "M"));
    assert_false(mapping_has(mapping, ""));
    mapping_free(mapping);
    mapping_free(NULL);
}

static void test_sources_in_order(void **state)
{
    (void)state;
    expect_sources("{\"a\":\"1\",\"b\":\"2\"}", "a", "b", NULL, "1");
    expect_sources("{\"b\":\"2\",\"c\":\"3\"}", "a", "b", "c", "2");
    expect_sources("{\"a\":null,\"b\":\"\",\"c\":\"3\"}", "a", "b", "c", "3");
    expect_sources("{\"a\":\"1\"}", "{a}-{b}", "only {a}", "a", "only 1");
    expect_sources("{\"x\":\"1\"}", "a", "{b}", "/c", NULL);
}

static char *repeated(char c, size_t count)
{
    char *text = malloc(count + 1);

    assert_non_null(text);
    memset(text, c, count);
    text[count] = '\0';
    return text;
}

/* What the sources give for a value of count times c, in bytes; 0: missing. */
static size_t length_of(char c, size_t count, const char *first, const char *second)
{
    char *text = repeated(c, count);
    json_t *payload = json_pack("{s:s, s:s}", "v", text, "w", "fallback");
    json_t *answer = json_object();
    mapping_t *mapping = new_mapping();

    assert_non_null(payload);
    add(mapping, "m", false, first, second, NULL);
    assert_int_equal(mapping_apply(mapping, payload, answer, NULL), REASON_NONE);
    size_t len = json_string_length(json_object_get(answer, "m"));
    mapping_free(mapping);
    json_decref(answer);
    json_decref(payload);
    free(text);
    return len;
}

static void test_over_one_kibibyte_is_missing(void **state)
{
    (void)state;
    assert_int_equal(length_of('x', 1024, "v", NULL), 1024);
    assert_int_equal(length_of('x', 1025, "v", NULL), 0);
    assert_int_equal(length_of('x', 1025, "v", "w"), 8);
    assert_int_equal(length_of('x', 1023, "-{v}", NULL), 1024);
    assert_int_equal(length_of('x', 1024, "-{v}", NULL), 0);
    assert_int_equal(length_of('x', 1022, "-{v}-", NULL), 1024);
    assert_int_equal(length_of('x', 1023, "-{v}-", NULL), 0);
    assert_int_equal(length_of('x', 1024, "{v}-{w}", "w"), 8);
    assert_int_equal(length_of('-', 341, "-{v}", NULL), 1024);
    assert_int_equal(length_of('-', 342, "-{v}", NULL), 0);
    assert_int_equal(length_of('-', 342, "-{v}", "w"), 8);
    assert_int_equal(length_of('x', 100000, "-{v}", "{v}"), 0);
}

static void test_long_text_is_missing(void **state)
{
    (void)state;
    char before[1100];
    char behind[1100];

    memset(before, 'x', 1024);
    memcpy(before + 1024, "{a}", 4);
    expect("{\"a\":\"1\"}", before, NULL);
    memcpy(behind, "{a}", 3);
    memset(behind + 3, 'x', 1024);
    behind[3 + 1024] = '\0';
    expect("{\"a\":\"1\"}", behind, NULL);
}

static void test_required_members(void **state)
{
    (void)state;
    mapping_t *mapping = new_mapping();
    json_t *whole = load("{\"n\":\"Support\",\"a\":\"c1\"}");
    json_t *part = load("{\"n\":\"Support\",\"a\":[]}");
    const char *missing = NULL;

    add(mapping, "front_channel_name", true, "n", NULL, NULL);
    add(mapping, "extra", false, "absent", NULL, NULL);
    add(mapping, "front_channel_address", true, "a", "{b}", NULL);

    json_t *answer = json_object();
    assert_int_equal(mapping_apply(mapping, whole, answer, &missing), REASON_NONE);
    assert_null(missing);
    char *text = json_dumps(answer, JSON_COMPACT);
    assert_string_equal(text, "{\"front_channel_name\":\"Support\",\"front_channel_address\":\"c1\"}");
    free(text);
    json_decref(answer);

    answer = json_object();
    assert_int_equal(mapping_apply(mapping, part, answer, &missing), REASON_MAPPING_MISSING);
    assert_string_equal(missing, "front_channel_address");
    assert_int_equal(mapping_apply(mapping, part, answer, NULL), REASON_MAPPING_MISSING);
    json_decref(answer);
    json_decref(part);
    json_decref(whole);
    mapping_free(mapping);
}

static void test_order_and_override(void **state)
{
    (void)state;
    mapping_t *mapping = new_mapping();
    json_t *payload = load("{\"a\":\"1\",\"b\":\"2\"}");
    json_t *answer = load("{\"active\":true,\"sub\":\"standard\",\"kept\":\"x\"}");

    add(mapping, "z", false, "a", NULL, NULL);
    add(mapping, "sub", false, "b", NULL, NULL);
    add(mapping, "kept", false, "absent", NULL, NULL);
    add(mapping, "y", false, "a", NULL, NULL);
    assert_int_equal(mapping_apply(mapping, payload, answer, NULL), REASON_NONE);
    json_decref(payload);
    char *text = json_dumps(answer, JSON_COMPACT);
    assert_string_equal(text, "{\"active\":true,\"sub\":\"2\",\"kept\":\"x\",\"z\":\"1\",\"y\":\"1\"}");
    free(text);
    json_decref(answer);
    mapping_free(mapping);
}

static void test_empty_mapping(void **state)
{
    (void)state;
    mapping_t *mapping = new_mapping();
    json_t *payload = load("{\"a\":\"1\"}");
    json_t *answer = json_object();

    assert_int_equal(mapping_apply(mapping, payload, answer, NULL), REASON_NONE);
    assert_int_equal(json_object_size(answer), 0);
    json_decref(answer);
    json_decref(payload);
    mapping_free(mapping);
}

static void test_providers(void **state)
{
    (void)state;
    static const char auth0[] =
        "{\"iss\":\"https://tenant.auth0.example/\",\"sub\":\"auth0|5f7c\",\"aud\":[\"https://api.example\","
        "\"https://tenant.auth0.example/userinfo\"],\"https://ns.example/channel\":\"c1\","
        "\"https://ns.example/channel/name\":\"Support\"}";
    static const char okta[] =
        "{\"cid\":\"0oa1\",\"uid\":\"00u1\",\"scp\":[\"openid\",\"channel\"],\"sub\":\"a@b\"}";
    static const char okta_service[] = "{\"cid\":\"0oa1\",\"scp\":[\"channel\"],\"sub\":\"0oa1\"}";
    static const char keycloak[] =
        "{\"typ\":\"Bearer\",\"azp\":\"front.app\",\"realm_access\":{\"roles\":[\"user\"]},"
        "\"resource_access\":{\"front.app/eu\":{\"roles\":[\"agent\",\"admin\"]}}}";
    static const char entra[] =
        "{\"tid\":\"7d3f\",\"oid\":\"9e1c\",\"sub\":\"pairwise\",\"scp\":\"channel.use\"}";
    static const char cognito[] =
        "{\"client_id\":\"4k2\",\"token_use\":\"access\",\"cognito:groups\":[\"agents\"]}";
    static const char hydra_ext[] = "{\"sub\":\"u\",\"scp\":[\"offline\"],\"ext\":{\"channel\":\"c1\"}}";
    static const char hydra_top[] = "{\"sub\":\"u\",\"scp\":[],\"channel\":\"c2\",\"ext\":{}}";

    expect(auth0, "https://ns.example/channel", "c1");
    expect(auth0, "https://ns.example/channel/name", "Support");
    expect(auth0, "aud", NULL);
    expect(auth0, "/aud/0", "https://api.example");
    expect(auth0, "auth {sub}", "auth %61%75%74%680|5f7c");
    expect_sources(okta, "uid", "cid", NULL, "00u1");
    expect_sources(okta_service, "uid", "cid", NULL, "0oa1");
    expect(okta, "scp", NULL);
    expect(okta, "/scp/1", "channel");
    expect(keycloak, "/resource_access/front.app~1eu/roles/0", "agent");
    expect(keycloak, "{azp}#{/realm_access/roles/0}", "front.app#user");
    expect(keycloak, "realm_access.roles", NULL);
    expect(entra, "{tid}/{oid}", "7d3f/9e1c");
    expect(entra, "{tid}.{scp}", "7d3f.channel%2Euse");
    expect(cognito, "/cognito:groups/0", "agents");
    expect(cognito, "cognito:groups", NULL);
    expect_sources(hydra_ext, "/ext/channel", "channel", NULL, "c1");
    expect_sources(hydra_top, "/ext/channel", "channel", NULL, "c2");
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
    mapping_t *mapping = new_mapping();
    json_t *payload = load("{\"a\":\"1\",\"n\":7}");
    reason_t reason = REASON_INTERNAL_ERROR;
    unsigned failures = 0;

    add(mapping, "shared", true, "a", NULL, NULL);
    add(mapping, "number", true, "n", NULL, NULL);
    add(mapping, "template", true, "{a}-{n}", NULL, NULL);
    while (reason != REASON_NONE) {
        json_t *answer = json_object();
        allocations_left = failures;
        json_set_alloc_funcs(failing_malloc, free);
        reason = mapping_apply(mapping, payload, answer, NULL);
        json_set_alloc_funcs(malloc, free);
        if (reason != REASON_NONE) {
            assert_int_equal(reason, REASON_INTERNAL_ERROR);
            failures++;
        }
        json_decref(answer);
    }
    assert_in_range(failures, 5, 100);
    json_decref(payload);
    mapping_free(mapping);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_sources),
        cmocka_unit_test(test_integers_become_text),
        cmocka_unit_test(test_what_counts_as_missing),
        cmocka_unit_test(test_control_character_is_missing_though_it_would_be_encoded),
        cmocka_unit_test(test_nul_in_a_string_is_missing),
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_what_is_encoded),
        cmocka_unit_test(test_refused_sources),
        cmocka_unit_test(test_refused_members),
        cmocka_unit_test(test_sources_in_order),
        cmocka_unit_test(test_over_one_kibibyte_is_missing),
        cmocka_unit_test(test_long_text_is_missing),
        cmocka_unit_test(test_required_members),
        cmocka_unit_test(test_order_and_override),
        cmocka_unit_test(test_empty_mapping),
        cmocka_unit_test(test_providers),
        cmocka_unit_test(test_no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
