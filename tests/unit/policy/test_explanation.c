#include "introspect_fixture.h"

#include "introspectd/explanation.h"

static void test_white_space_is_none_of_a_token(void **state)
{
    static const char *const TEXTS[] = {"a.b c", " a.b c", "a.b c\n", "\r\n\t a.b c \t\r\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_true(slice_equal(explanation_trim(slice_of(TEXTS[i])), slice_of("a.b c")));
    assert_int_equal(explanation_trim(slice_of(" \n")).len, 0);
    assert_int_equal(explanation_trim(slice_of("")).len, 0);
}

static void test_distances(void **state)
{
    static const struct {
        int64_t time_s;
        const char *text;
    } CASES[] = {{NOW_S, "0 seconds ago"},         {NOW_S + 1, "in 1 second"},
                 {NOW_S - 59, "59 seconds ago"},   {NOW_S + 60, "in 1 minute"},
                 {NOW_S - 7199, "1 hour ago"},     {NOW_S + 7200, "in 2 hours"},
                 {NOW_S + 2 * 86400, "in 2 days"}, {NOW_S - 86400, "1 day ago"}};
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        char text[EXPLANATION_DISTANCE_SIZE];
        explanation_distance(CASES[i].time_s, NOW_S, text);
        assert_string_equal(text, CASES[i].text);
    }
}

static char *text_of(const explanation_t *explanation)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    assert_true(explanation_print(explanation, out));
    assert_int_equal(fclose(out), 0);
    return text;
}

/* Not even twelve characters of it in a row. */
static void test_neither_token_nor_signature_is_told(void **state)
{
    const fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 60, "");
    explanation_t *explanation = explanation_new(fixture->worker, slice_of(token), fixture->rs, 1, NOW_S);
    assert_non_null(explanation);
    assert_true(explanation_is_active(explanation));
    assert_int_equal(explanation_status(&explanation->clients[0]), 200);
    json_t *json = explanation_to_json(explanation);
    char *dumped = json_dumps(json, 0);
    char *text = text_of(explanation);
    const char *payload = strchr(token, '.') + 1;
    const char *signature = strchr(payload, '.') + 1;
    char piece[13] = {0};
    for (const char *at = payload; at + 12 <= token + strlen(token); at += 12) {
        memcpy(piece, at, 12);
        assert_null(strstr(dumped, piece));
        assert_null(strstr(text, piece));
    }
    assert_null(strstr(dumped, signature));
    free(dumped);
    free(text);
    json_decref(json);
    explanation_free(explanation);
    free(token);
}

/* The client whose decision came furthest speaks for the token. */
static void test_the_headline(void **state)
{
    const fixture_t *fixture = *state;
    const client_set_t *clients = &introspect_worker_config(fixture->worker)->clients;
    char *token = good_token(fixture, NOW_S - 3600, "");
    explanation_t *explanation =
        explanation_new(fixture->worker, slice_of(token), clients->clients, clients->count, NOW_S);
    assert_non_null(explanation);
    assert_false(explanation_is_active(explanation));
    assert_string_equal(explanation_verdict(&explanation->clients[explanation->headline]), "inactive");
    json_t *json = explanation_to_json(explanation);
    assert_string_equal(json_string_value(json_object_get(json, "reason")), "expired");
    assert_int_equal(json_array_size(json_object_get(json, "clients")), clients->count);
    json_decref(json);
    explanation_free(explanation);
    explanation_free(NULL);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_white_space_is_none_of_a_token),
        cmocka_unit_test(test_distances),
        cmocka_unit_test_setup_teardown(test_neither_token_nor_signature_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_headline, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
