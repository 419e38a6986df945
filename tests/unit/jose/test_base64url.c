#include "introspectd/base64url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LEN_MAX = 300 };

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_refused(slice_t text)
{
    unsigned char out[64];
    size_t len = 4711;
    assert_in_range(base64url_decoded_max(text.len), 0, sizeof(out));
    bool is_decoded = base64url_decode(text, out, &len);
    assert_int_equal(is_decoded, base64url_is_strict(text));
    if (!is_decoded)
        assert_int_equal(len, 4711);
    return !is_decoded;
}

static void published_examples(void **state)
{
    (void)state;
    /* RFC 4648 section 10 without padding, and RFC 7515 appendix C. */
    static const char *const PAIRS[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\x03\xec\xff\xe0\xc1", "A-z_4ME"},
    };
    for (size_t i = 0; i < sizeof(PAIRS) / sizeof(PAIRS[0]); i++) {
        char text[16];
        unsigned char bytes[16];
        size_t len = 0;
        base64url_encode((const unsigned char *)PAIRS[i][0], strlen(PAIRS[i][0]), text);
        assert_string_equal(text, PAIRS[i][1]);
        assert_true(base64url_decode(slice_of(PAIRS[i][1]), bytes, &len));
        assert_int_equal(len, strlen(PAIRS[i][0]));
        assert_memory_equal(bytes, PAIRS[i][0], len);
    }
}

static void every_length_goes_both_ways(void **state)
{
    (void)state;
    unsigned char bytes[LEN_MAX];
    uint32_t seed = 12345;
    for (size_t i = 0; i < LEN_MAX; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(seed >> 24);
    }
    for (size_t len = 0; len <= LEN_MAX; len++) {
        size_t text_len = base64url_encoded_len(len);
        char *text = malloc(text_len + 1);
        unsigned char *back = malloc(base64url_decoded_max(text_len));
        size_t back_len = 0;
        base64url_encode(bytes, len, text);
        assert_int_equal(strlen(text), text_len);
        assert_int_equal(strspn(text, ALPHABET), text_len);
        assert_true(base64url_is_strict(slice_of(text)));
        assert_true(base64url_decode(slice_of(text), back, &back_len));
        assert_int_equal(back_len, len);
        if (len > 0)
            assert_memory_equal(back, bytes, len);
        free(back);
        free(text);
    }
}

static void bytes_outside_the_alphabet_are_refused_at_every_place(void **state)
{
    (void)state;
    for (size_t len = 2; len <= 51; len++) {
        if (len % 4 == 1)
            continue;
        for (size_t place = 0; place < len; place++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[52];
                memset(text, 'A', sizeof(text));
                text[place] = (char)byte;
                bool is_in_alphabet = byte != 0 && strchr(ALPHABET, byte) != NULL;
                bool is_last = place == len - 1 && len % 4 != 0;
                if (!is_in_alphabet)
                    assert_true(is_refused((slice_t){text, len}));
                else if (!is_last)
                    assert_false(is_refused((slice_t){text, len}));
            }
        }
    }
}

static void trailing_bits_must_be_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < 64; i++) {
        const char two[] = {'Z', ALPHABET[i]};
        const char three[] = {'Z', 'm', ALPHABET[i]};
        const char six[] = {'Z', 'm', '9', 'v', 'Y', ALPHABET[i]};
        assert_int_equal(is_refused((slice_t){two, 2}), i % 16 != 0);
        assert_int_equal(is_refused((slice_t){three, 3}), i % 4 != 0);
        assert_int_equal(is_refused((slice_t){six, 6}), i % 16 != 0);
    }
}

static void length_of_1_modulo_4_is_refused(void **state)
{
    (void)state;
    char text[34];
    memset(text, 'A', sizeof(text));
    for (size_t len = 0; len <= 33; len++)
        assert_int_equal(is_refused((slice_t){text, len}), len % 4 == 1);
}

static void padding_and_white_space_are_refused(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"Zg==",  "Zg=",    "Zm8=",   "Zm9v=",    "Zm9v====", " Zm9v",
                                        "Zm9v ", "Zm9v\n", "Zm\n9v", "Zm9v\r\n", "Zm9+",     "Zm9/",
                                        "=",     "====",   "Zm9v.",  "Zm9v%3D"};
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++)
        assert_true(is_refused(slice_of(TEXTS[i])));
    assert_true(is_refused((slice_t){"Zm9v\0", 5}));
    assert_true(is_refused((slice_t){"Zm\0v", 4}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_examples),
        cmocka_unit_test(every_length_goes_both_ways),
        cmocka_unit_test(bytes_outside_the_alphabet_are_refused_at_every_place),
        cmocka_unit_test(trailing_bits_must_be_zero),
        cmocka_unit_test(length_of_1_modulo_4_is_refused),
        cmocka_unit_test(padding_and_white_space_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
