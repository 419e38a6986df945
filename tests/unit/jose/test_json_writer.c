/* What is written is what jansson writes, byte for byte, into a buffer that is never overrun. */
#include "introspectd/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CANARY = 0x5A };

/* Writes into exactly size bytes of the heap, with canaries behind them that show an overrun. */
static size_t write_into(json_t *value, size_t size, char **out)
{
    enum { BEHIND = 16 };
    char *buffer = malloc(size + BEHIND);
    assert_non_null(buffer);
    memset(buffer, CANARY, size + BEHIND);
    size_t len = json_write(value, buffer, size);
    for (size_t i = 0; i < BEHIND; i++)
        assert_int_equal(buffer[size + i], CANARY);
    *out = buffer;
    return len;
}

static void assert_as_jansson(json_t *take_value)
{
    assert_non_null(take_value);
    char *expected = json_dumps(take_value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(expected);
    size_t expected_len = strlen(expected);
    for (size_t size = 0; size <= expected_len + 1; size++) {
        char *text;
        assert_int_equal(write_into(take_value, size, &text), expected_len);
        if (size >= expected_len)
            assert_memory_equal(text, expected, expected_len);
        free(text);
    }
    free(expected);
    json_decref(take_value);
}

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (value == NULL)
        fail_msg("no JSON: %s", text);
    return value;
}

static void every_kind_of_value(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "{}",
        "[]",
        "null",
        "{\"active\":true}",
        "{\"b\":1,\"a\":false,\"c\":null,\"B\":\"\"}",
        "{\"aud\":[\"a\",\"b\"],\"scope\":\"a b\",\"exp\":1700000000}",
        "[[],[{}],[[1,2],{\"a\":{\"b\":[null]}}],\"x\"]",
        "[0,-1,9223372036854775807,-9223372036854775808]",
        "[0.0,-0.0,1.5,1e300,-2.2250738585072014e-308,0.1,123456789.125]",
        "{\"\":{\"\":\"\"}}",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_as_jansson(parse(TEXTS[i]));
}

static void every_character_of_a_string(void **state)
{
    (void)state;
    for (int c = 0; c < 0x80; c++) {
        const char text[] = {'a', (char)c, (char)c, 'b'};
        json_t *value = json_object();
        /* A name with U+0000 is none that jansson writes whole. */
        size_t name_len = c == 0 ? 1 : sizeof(text);
        assert_int_equal(json_object_setn_new(value, text, name_len, json_stringn(text, sizeof(text))), 0);
        assert_as_jansson(value);
    }
    assert_as_jansson(json_string("\xc2\x80 \xc3\xa9 \xe2\x82\xac \xef\xbf\xbf \xf0\x9f\x98\x80"));
    assert_as_jansson(json_string("\"\\\"\\"));
    assert_as_jansson(json_string("</script>\x7f"));
}

static void what_is_parsed_is_written_again(void **state)
{
    (void)state;
    static const char TEXT[] = "{\"s\":\"\\u001f\\n\\\\ \xc3\xa9\",\"n\":[-0,1.5,1e10],\"o\":{\"p\":{}}}";
    json_t *value = json_parse_object(slice_of(TEXT));
    assert_non_null(value);
    char text[128];
    size_t len = json_write(value, text, sizeof(text));
    assert_in_range(len, 1, sizeof(text));
    json_t *again = json_parse_object((slice_t){text, len});
    assert_true(json_equal(value, again));
    json_decref(again);
    json_decref(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value),
        cmocka_unit_test(every_character_of_a_string),
        cmocka_unit_test(what_is_parsed_is_written_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
