/* What is parsed, and to what, is what jansson's own parser says; and what happens when memory runs out. */
#include "json_oracle.h"

#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct count {
    size_t accepted;
    size_t refused;
} count_t;

static void check(count_t *count, const char *base, size_t len)
{
    /* Its own block of exactly that size, so that a read beyond it is seen. */
    char *text = malloc(len == 0 ? 1 : len);
    assert_non_null(text);
    memcpy(text, base, len);
    bool is_accepted;
    if (!oracle_agrees((slice_t){text, len}, &is_accepted))
        fail_msg("%s, not as jansson does: %.*s", is_accepted ? "accepted" : "refused", (int)len, text);
    count->accepted += is_accepted;
    count->refused += !is_accepted;
    free(text);
}

static void check_text(count_t *count, const char *text)
{
    check(count, text, strlen(text));
}

/* `{"a":"`, bytes, `"}` */
static void check_string(count_t *count, const void *bytes, size_t len)
{
    char text[64];
    assert_true(len < sizeof(text) - 8);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + 6, bytes, len);
    memcpy(text + 6 + len, "\"}", 2);
    check(count, text, len + 8);
}

static void characters(void **state)
{
    (void)state;
    static const unsigned char BYTES[] = {0x00, 0x1F, 0x20, '"',  '\\', 0x7F, 0x80, 0x8F, 0x90, 0x9F,
                                          0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
                                          0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    enum { COUNT = sizeof(BYTES) };
    count_t count = {0};
    for (unsigned pair = 0; pair <= 0xFFFF; pair++)
        check_string(&count, (const unsigned char[]){(unsigned char)(pair >> 8), (unsigned char)pair}, 2);
    for (unsigned a = 0; a < COUNT; a++) {
        for (unsigned b = 0; b < COUNT; b++) {
            for (unsigned c = 0; c < COUNT; c++) {
                const unsigned char bytes[] = {BYTES[a], BYTES[b], BYTES[c], 0x80, 0xBF};
                check_string(&count, bytes, 3);
                check_string(&count, bytes, 4);
                check_string(&count, bytes, 5);
            }
        }
    }
    assert_true(count.accepted > 10000 && count.refused > 10000);
}

/* Several bytes are looked at in one step: each must count, wherever it stands. */
static void bytes_at_every_place(void **state)
{
    (void)state;
    enum { LEN = 24 };
    count_t count = {0};
    for (unsigned byte = 0; byte <= 0xFF; byte++) {
        for (size_t at = 0; at < LEN; at++) {
            char text[LEN] = "abcdefghijklmnopqrstuvw";
            text[LEN - 1] = 'x';
            text[at] = (char)byte;
            check_string(&count, text, LEN);
            /* Behind bytes at the edges of what is plain. */
            memset(text, ' ', at);
            check_string(&count, text, LEN);
            memset(text, '\x7f', at);
            check_string(&count, text, LEN);
            memset(text, '!', at);
            check_string(&count, text, LEN);
        }
    }
    assert_true(count.accepted > 1000 && count.refused > 1000);
}

static void escapes(void **state)
{
    (void)state;
    static const unsigned UNITS[] = {0x0000, 0x0041, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF};
    enum { COUNT = sizeof(UNITS) / sizeof(UNITS[0]) };
    count_t count = {0};
    char text[32];
    for (unsigned c = 0; c <= 0xFF; c++)
        check_string(&count, (const char[]){'x', '\\', (char)c, 'y'}, 4);
    for (unsigned unit = 0; unit <= 0xFFFF; unit++)
        check_string(&count, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", unit));
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < COUNT; k++) {
            check_string(&count, text,
                         (size_t)snprintf(text, sizeof(text), "\\u%04X\\u%04x", UNITS[i], UNITS[k]));
            check_string(&count, text,
                         (size_t)snprintf(text, sizeof(text), "\\u%04X\\x%04x", UNITS[i], UNITS[k]));
            check_string(&count, text,
                         (size_t)snprintf(text, sizeof(text), "\\u%04Xu%04x", UNITS[i], UNITS[k]));
        }
    }
    for (unsigned c = 0; c <= 0xFF; c++) {
        for (size_t at = 2; at < 6; at++) {
            char digits[] = "\\u1aF9";
            digits[at] = (char)c;
            check_string(&count, digits, sizeof(digits) - 1);
        }
    }
    assert_true(count.accepted > 60000 && count.refused > 2000);
}

static void numbers(void **state)
{
    (void)state;
    static const char *const PARTS[] = {"",
                                        "-",
                                        "0",
                                        "1",
                                        "01",
                                        ".",
                                        "e",
                                        "E",
                                        "+",
                                        "9",
                                        "308",
                                        "x",
                                        " ",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "18446744073709551616"};
    enum { COUNT = sizeof(PARTS) / sizeof(PARTS[0]) };
    count_t count = {0};
    char text[128];
    for (size_t i = 0; i < COUNT * COUNT * COUNT * COUNT; i++) {
        int len = snprintf(text, sizeof(text), "{\"a\":%s%s%s%s}", PARTS[i % COUNT], PARTS[i / COUNT % COUNT],
                           PARTS[i / COUNT / COUNT % COUNT], PARTS[i / COUNT / COUNT / COUNT]);
        check(&count, text, (size_t)len);
    }
    assert_true(count.accepted > 1000 && count.refused > 10000);
}

static const char *const TEXTS[] = {
    "{}",
    "{\"alg\":\"RS256\",\"kid\":\"key-1\",\"typ\":\"at+jwt\"}",
    "{\"iss\":\"https://idp.example/\",\"aud\":[\"a\",\"b\"],\"exp\":1700000000,\"iat\":1.5e9,\"nbf\":-0}",
    " { \"a\" : [ ] , \"b\" : { } , \"c\" : [ 1 , [ { } ] ] , \"d\" : null }\r\n\t",
    "{\"\\u0061\":\"\\ud83d\\ude00\\n\\\"\",\"b\":\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\",\"c\":\"\\\\\"}",
    "{\"t\":true,\"f\":false,\"n\":null,\"o\":{\"t\":true,\"o\":{\"t\":[true,false,null]}},\"r\":-0.0}",
    "{\"a\":{\"a\":1,\"b\":{\"a\":1}},\"b\":[[[[[[[[\"deep\"]]]]]]]]}",
};

enum { TEXT_COUNT = sizeof(TEXTS) / sizeof(TEXTS[0]), MUTANT_MAX = 400 };

static void every_text_cut_anywhere(void **state)
{
    (void)state;
    count_t count = {0};
    for (size_t i = 0; i < TEXT_COUNT; i++) {
        for (size_t len = 0; len <= strlen(TEXTS[i]); len++) {
            check(&count, TEXTS[i], len);
            check(&count, TEXTS[i] + len, strlen(TEXTS[i]) - len);
        }
    }
    assert_true(count.accepted >= TEXT_COUNT && count.refused > 500);
}

/* xorshift: the same mutants each time */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Puts insert in the place of some bytes of text. */
static size_t mutate(char text[MUTANT_MAX], size_t len, uint64_t *random)
{
    static const char *const PIECES[] = {
        "",         "\"",      "\\",  "{",     "}",      "[",    "]",    ",",        ":",     " ",    "\n",
        "0",        "-",       "1e5", ".5",    "\"a\":", "true", "null", "\\u",      "\\u00", "\xc3", "\x80",
        "\"a\":1,", "{\"a\":", "[[[", "false", "\\n",    "\x01", "\x7f", "\xf0\x9f", "//",    "\"\""};
    const char *piece = PIECES[next_random(random) % (sizeof(PIECES) / sizeof(PIECES[0]))];
    size_t at = next_random(random) % (len + 1);
    size_t cut = next_random(random) % 3;
    if (cut > len - at)
        cut = len - at;
    size_t piece_len = strlen(piece);
    if (len + piece_len > MUTANT_MAX)
        return len;
    memmove(text + at + piece_len, text + at + cut, len - at - cut);
    memcpy(text + at, piece, piece_len);
    return len + piece_len - cut;
}

static void mutants(void **state)
{
    (void)state;
    enum { ROUNDS = 100000 };
    uint64_t random = 0x9E3779B97F4A7C15u;
    count_t count = {0};
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[MUTANT_MAX];
        const char *seed = TEXTS[next_random(&random) % TEXT_COUNT];
        size_t len = strlen(seed);
        memcpy(text, seed, len);
        for (uint64_t steps = 1 + next_random(&random) % 3; steps > 0; steps--)
            len = mutate(text, len, &random);
        check(&count, text, len);
    }
    assert_true(count.accepted > ROUNDS / 20 && count.refused > ROUNDS / 20);
}

static void depth(void **state)
{
    (void)state;
    count_t count = {0};
    for (size_t levels = JSON_MAX_DEPTH - 2; levels <= JSON_MAX_DEPTH + 2; levels++) {
        char text[4 * JSON_MAX_DEPTH + 16] = "{\"a\":";
        for (size_t i = 1; i < levels; i++)
            strcat(text, "[");
        for (size_t i = 1; i < levels; i++)
            strcat(text, "]");
        strcat(text, ",\"b\":[{}]}");
        check_text(&count, text);
    }
    assert_int_equal(count.accepted, 3);
    assert_int_equal(count.refused, 2);
}

static void memory_that_runs_out_is_told(void **state)
{
    (void)state;
    static const char TEXT[] =
        "{\"a\":\"plain\",\"\\u0062\":\"\\ud83d\\ude00\",\"c\":[1,-2.5e3,true,{\"d\":null},[\"e\",\"\\n\"]],"
        "\"f\":1,\"g\":2,\"h\":3,\"i\":4,\"j\":5,\"k\":6,\"l\":0.1234567890123456789,\"m\":1.234567890123e5}";
    json_t *expected = oracle_parse(slice_of(TEXT));
    assert_non_null(expected);
    unsigned passing = 0;
    for (bool has_failed = true; has_failed; passing++) {
        failing_alloc_arm(passing);
        json_t *value = json_parse_object(slice_of(TEXT));
        has_failed = failing_alloc_disarm();
        assert_int_equal(json_ran_out_of_memory(), has_failed);
        assert_int_equal(value == NULL, has_failed);
        if (value != NULL)
            assert_true(oracle_is_same(value, expected));
        json_decref(value);
    }
    assert_in_range(passing, 30, 200);
    json_decref(expected);

    json_t *refused = json_parse_object(slice_of("{\"a\":1"));
    assert_null(refused);
    assert_false(json_ran_out_of_memory());
}

int main(void)
{
    json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters),
        cmocka_unit_test(bytes_at_every_place),
        cmocka_unit_test(escapes),
        cmocka_unit_test(numbers),
        cmocka_unit_test(every_text_cut_anywhere),
        cmocka_unit_test(mutants),
        cmocka_unit_test(depth),
        cmocka_unit_test(memory_that_runs_out_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
