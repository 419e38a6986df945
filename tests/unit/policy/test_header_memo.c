#include "header_memo.h"

#include "introspectd/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static header_memo_t memo;

static int clear(void **state)
{
    (void)state;
    header_memo_deinit(&memo);
    return 0;
}

/* The parts of a token with that header. */
static compact_t compact_of(const char *header)
{
    static char token[1024];
    base64url_encode((const unsigned char *)header, strlen(header), token);
    strcat(token, ".e30.");
    compact_t compact;
    assert_int_equal(compact_split(slice_of(token), &compact), REASON_NONE);
    return compact;
}

static compact_t numbered(int number)
{
    char header[64];
    snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"%d\"}", number);
    return compact_of(header);
}

static bool has(const compact_t *compact)
{
    compact_header_t header;
    if (!header_memo_get(&memo, compact, &header))
        return false;
    compact_header_deinit(&header);
    return true;
}

static void a_remembered_header_is_the_parsed_one(void **state)
{
    (void)state;
    compact_t compact = compact_of("{\"alg\":\"ES256\",\"kid\":\"k\\u00e9y\",\"typ\":\"at+jwt\"}");
    compact_header_t parsed;
    compact_header_t remembered;
    assert_int_equal(compact_parse_header(&compact, &parsed), REASON_NONE);
    assert_false(has(&compact));
    header_memo_put(&memo, &compact);
    assert_true(header_memo_get(&memo, &compact, &remembered));
    assert_true(json_equal(remembered.json, parsed.json));
    assert_true(remembered.has_algorithm && remembered.algorithm == ALGORITHM_ES256);
    assert_true(slice_equal(remembered.algorithm_name, parsed.algorithm_name));
    assert_true(slice_equal(remembered.kid, parsed.kid));
    assert_true(slice_equal(remembered.typ, parsed.typ));
    compact_header_deinit(&parsed);
    /* What was given out outlives its place. */
    header_memo_deinit(&memo);
    assert_true(slice_equal(remembered.typ, slice_of("at+jwt")));
    compact_header_deinit(&remembered);
}

static void other_texts_are_not_found(void **state)
{
    (void)state;
    compact_t compact = numbered(1);
    header_memo_put(&memo, &compact);
    assert_true(has(&compact));
    compact_t longer = compact_of("{\"alg\":\"RS256\",\"kid\":\"1\"} ");
    assert_false(has(&longer));
    compact_t shorter = numbered(1);
    shorter.header.len -= 4;
    assert_false(has(&shorter));
    compact_t other = numbered(2);
    assert_false(has(&other));
}

static void places_are_taken_over_in_turn(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * HEADER_MEMO_PLACES; i++) {
        compact_t compact = numbered(i);
        header_memo_put(&memo, &compact);
        header_memo_put(&memo, &compact); /* takes no second place */
        for (int k = 0; k <= i; k++) {
            compact_t earlier = numbered(k);
            assert_int_equal(has(&earlier), k > i - HEADER_MEMO_PLACES);
        }
    }
}

static void what_is_long_or_bad_is_not_remembered(void **state)
{
    (void)state;
    char text[600];
    for (size_t len = 180; len < 210; len++) {
        snprintf(text, sizeof(text), "{\"alg\":\"RS256\",\"kid\":\"%0*d\"}", (int)len, 1);
        compact_t compact = compact_of(text);
        header_memo_put(&memo, &compact);
        assert_int_equal(has(&compact), compact.header.len <= HEADER_MEMO_MAX_BYTES);
    }
    compact_t bad = compact_of("{\"alg\":1}");
    header_memo_put(&memo, &bad);
    assert_false(has(&bad));
    compact_t critical = compact_of("{\"alg\":\"RS256\",\"crit\":[\"x\"]}");
    header_memo_put(&memo, &critical);
    assert_false(has(&critical));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_remembered_header_is_the_parsed_one, clear, clear),
        cmocka_unit_test_setup_teardown(other_texts_are_not_found, clear, clear),
        cmocka_unit_test_setup_teardown(places_are_taken_over_in_turn, clear, clear),
        cmocka_unit_test_setup_teardown(what_is_long_or_bad_is_not_remembered, clear, clear),
    };
    return cmocka_run_group_tests_name("header memo", tests, NULL, NULL);
}
