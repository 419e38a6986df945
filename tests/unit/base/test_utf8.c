#include "introspectd/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t valid_len(const char *text)
{
    return utf8_valid_char_len(slice_of(text));
}

static void the_first_character_of_a_text(void **state)
{
    (void)state;
    assert_int_equal(valid_len(""), 0);
    assert_int_equal(valid_len("a\xff"), 1);
    assert_int_equal(utf8_valid_char_len((slice_t){"\0", 1}), 1);
    assert_int_equal(valid_len("\x7f"), 1);
    assert_int_equal(valid_len("\xc2\x80x"), 2);
    assert_int_equal(valid_len("\xe0\xa0\x80x"), 3);
    assert_int_equal(valid_len("\xf0\x90\x80\x80x"), 4);
    assert_int_equal(valid_len("\xf4\x8f\xbf\xbf"), 4);
}

static void what_is_no_character(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "\x80",         "\xbf",         "\xc0\x80",         "\xc1\xbf",         "\xc2",
        "\xc2x",        "\xe0\x9f\xbf", "\xe2\x82",         "\xe2\x82x",        "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x9f\x98", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff",
    };
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        if (valid_len(TEXTS[i]) != 0 || utf8_is_valid(slice_of(TEXTS[i])))
            fail_msg("case %zu is taken for a character", i);
    }
}

/* Every character is encoded to what is valid, and no surrogate's encoding is. */
static void every_character_encoded(void **state)
{
    (void)state;
    for (uint32_t character = 0; character <= 0x10FFFF; character++) {
        char bytes[UTF8_CHAR_MAX];
        size_t len = utf8_encode(character, bytes);
        bool is_surrogate = character >= 0xD800 && character <= 0xDFFF;
        if (utf8_valid_char_len((slice_t){bytes, len}) != (is_surrogate ? 0 : len))
            fail_msg("U+%04X", character);
    }
    char bytes[UTF8_CHAR_MAX];
    assert_int_equal(utf8_encode(0x20AC, bytes), 3);
    assert_memory_equal(bytes, "\xe2\x82\xac", 3);
    assert_int_equal(utf8_encode(0x1F600, bytes), 4);
    assert_memory_equal(bytes, "\xf0\x9f\x98\x80", 4);
}

static void control_characters(void **state)
{
    (void)state;
    assert_true(utf8_has_control(slice_of("a\x1f")));
    assert_true(utf8_has_control(slice_of("\x7f")));
    assert_true(utf8_has_control(slice_of("\xc2\x80")));
    assert_true(utf8_has_control(slice_of("\xc2\x9f")));
    assert_false(utf8_has_control(slice_of("")));
    assert_false(utf8_has_control(slice_of(" ~\xc2\xa0\xc3\x80\xe2\x82\x9f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_character_of_a_text),
        cmocka_unit_test(what_is_no_character),
        cmocka_unit_test(every_character_encoded),
        cmocka_unit_test(control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
