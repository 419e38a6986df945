#include "introspectd/form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

/* Decodes into a heap block of exactly text.len bytes, so that a sanitizer sees a write behind it. */
static void assert_decodes_bytes(slice_t text, const char *expected, size_t expected_len)
{
    char *out = malloc(text.len > 0 ? text.len : 1);
    char *in_place = malloc(text.len > 0 ? text.len : 1);
    size_t len = SIZE_MAX;

    assert_non_null(out);
    assert_non_null(in_place);
    assert_true(form_decode(text, out, &len));
    assert_int_equal(len, expected_len);
    assert_memory_equal(out, expected, expected_len);

    memcpy(in_place, text.base, text.len);
    len = SIZE_MAX;
    assert_true(form_decode((slice_t){in_place, text.len}, in_place, &len));
    assert_int_equal(len, expected_len);
    assert_memory_equal(in_place, expected, expected_len);
    free(in_place);
    free(out);
}

static void assert_decodes(const char *text, const char *expected)
{
    assert_decodes_bytes(slice_of(text), expected, strlen(expected));
}

static void assert_refused(const char *text)
{
    size_t text_len = strlen(text);
    char *exact = malloc(text_len);
    char *out = malloc(text_len);
    size_t len = 77;

    assert_non_null(exact);
    assert_non_null(out);
    /* Without a NUL on purpose. NOLINTNEXTLINE(bugprone-not-null-terminated-result) */
    memcpy(exact, text, text_len);
    assert_false(form_decode((slice_t){exact, text_len}, out, &len));
    assert_int_equal(len, 77);
    free(out);
    free(exact);
}

static void decodes_plus_and_percent(void **state)
{
    (void)state;
    assert_decodes("", "");
    assert_decodes("plain-text_1.~", "plain-text_1.~");
    assert_decodes("a+b", "a b");
    assert_decodes("+", " ");
    assert_decodes("%2B%20%25", "+ %");
    assert_decodes("s%3Ae%25c", "s:e%c");
    assert_decodes("%61%62%63", "abc");
    assert_decodes("%c3%A9", "\xc3\xa9");
    assert_decodes("&=", "&=");
}

static void decodes_once_only(void **state)
{
    (void)state;
    assert_decodes("%2541", "%41");
    assert_decodes("%252B", "%2B");
}

static void decodes_every_byte(void **state)
{
    static const char digits[] = "0123456789abcdef";

    (void)state;
    for (unsigned byte = 0; byte < 256; byte++) {
        char text[3] = {'%', digits[byte >> 4], digits[byte & 15]};
        char expected = (char)(unsigned char)byte;

        assert_decodes_bytes((slice_t){text, 3}, &expected, 1);
    }
}

static void keeps_bytes_that_need_no_decoding(void **state)
{
    static const char text[] = {'a', '\0', '\x80', '\xff', '\n'};

    (void)state;
    assert_decodes_bytes((slice_t){text, sizeof text}, text, sizeof text);
}

static void absent_text_decodes_to_nothing(void **state)
{
    char out = 'x';
    size_t len = 5;

    (void)state;
    assert_true(form_decode(slice_of(NULL), &out, &len));
    assert_int_equal(len, 0);
    assert_int_equal(out, 'x');
}

static void refuses_broken_escapes(void **state)
{
    (void)state;
    assert_refused("%");
    assert_refused("%4");
    assert_refused("a%");
    assert_refused("a%4");
    assert_refused("%g0");
    assert_refused("%0g");
    assert_refused("%%41");
    assert_refused("%-1");
    assert_refused("% 1");
    assert_refused("%+1");
    assert_refused("%0x");
    assert_refused("%41%");
}

static void an_escape_never_reads_behind_the_text(void **state)
{
    char text[] = "%41";
    char out[3];
    size_t len;

    (void)state;
    assert_false(form_decode((slice_t){text, 2}, out, &len));
    assert_false(form_decode((slice_t){text, 1}, out, &len));
}

static void is_encoded_sees_percent_and_plus(void **state)
{
    (void)state;
    assert_false(form_is_encoded(slice_of(NULL)));
    assert_false(form_is_encoded(slice_of("")));
    assert_false(form_is_encoded(slice_of("abc-._~&=")));
    assert_true(form_is_encoded(slice_of("abc%")));
    assert_true(form_is_encoded(slice_of("+abc")));
    assert_false(form_is_encoded((slice_t){"abc+", 3}));
    assert_true(form_is_encoded((slice_t){"a\0+", 3}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_plus_and_percent),
        cmocka_unit_test(decodes_once_only),
        cmocka_unit_test(decodes_every_byte),
        cmocka_unit_test(keeps_bytes_that_need_no_decoding),
        cmocka_unit_test(absent_text_decodes_to_nothing),
        cmocka_unit_test(refuses_broken_escapes),
        cmocka_unit_test(an_escape_never_reads_behind_the_text),
        cmocka_unit_test(is_encoded_sees_percent_and_plus),
    };

    return cmocka_run_group_tests_name("form", tests, NULL, NULL);
}
