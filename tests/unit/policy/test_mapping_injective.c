#include "introspectd/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint64_t random_state = UINT64_C(0x9E3779B97F4A7C15);

/* xorshift64: the same values in every run. */
static size_t random_below(size_t bound)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (size_t)(random_state % bound);
}

static json_t *random_value(const char *const *alphabet, size_t alphabet_size)
{
    char text[16];
    size_t len = 0;
    size_t count = 1 + random_below(3);

    for (size_t i = 0; i < count; i++) {
        slice_t character = slice_of(alphabet[random_below(alphabet_size)]);
        memcpy(text + len, character.base, character.len);
        len += character.len;
    }
    json_t *value = json_stringn(text, len);
    assert_non_null(value);
    return value;
}

/* Renders random tuples, remembers which gave each output, and fails when two different ones gave the same.
 */
static void expect_injective(const char *source, const char *const *alphabet, size_t alphabet_size)
{
    enum { TUPLES = 20000 };
    const slice_t sources[] = {slice_of(source)};
    const char *error = NULL;
    mapping_t *mapping = mapping_new();
    json_t *seen = json_object();

    assert_non_null(seen);
    assert_non_null(mapping);
    if (!mapping_add(mapping, "m", true, sources, 1, &error))
        fail_msg("%s: %s", source, error);
    for (size_t i = 0; i < TUPLES; i++) {
        json_t *payload = json_object();
        json_t *answer = json_object();
        json_object_set_new(payload, "a", random_value(alphabet, alphabet_size));
        json_object_set_new(payload, "b", random_value(alphabet, alphabet_size));
        json_object_set_new(payload, "c", random_value(alphabet, alphabet_size));
        if (strstr(source, "{c}") == NULL)
            json_object_del(payload, "c");
        assert_int_equal(mapping_apply(mapping, payload, answer, NULL), REASON_NONE);

        const char *output = json_string_value(json_object_get(answer, "m"));
        const json_t *first = json_object_get(seen, output);
        if (first == NULL) {
            /* json_object_set checks that the output is UTF-8. */
            if (json_object_set(seen, output, payload) != 0)
                fail_msg("%s gave %s, which is not UTF-8", source, output);
        } else if (!json_equal(first, payload)) {
            fail_msg("%s gave %s twice", source, output);
        }
        json_decref(answer);
        json_decref(payload);
    }
    assert_in_range(json_object_size(seen), 1000, TUPLES);
    json_decref(seen);
    mapping_free(mapping);
}

static void test_different_values_give_different_texts(void **state)
{
    (void)state;
    static const char *const ascii[] = {"-", "%", "2", "5", "D", "x", "3", "4"};
    static const char *const mixed[] = {
        "\xC3\xA9",         "\xC3\xA8", "\xC2\xA9", "\xE2\x82\xAC", "\xE2\x82\xA9", "%", "C",
        "\xF0\x9F\x98\x80", "3",        "A"};

    expect_injective("{a}-{b}", ascii, COUNT(ascii));
    expect_injective("{a}2{b}", ascii, COUNT(ascii));
    expect_injective("{a}2D{b}5{c}", ascii, COUNT(ascii));
    expect_injective("{a}x%2{b}", ascii, COUNT(ascii));
    expect_injective("%2{a}-%{b}%25", ascii, COUNT(ascii));
    expect_injective("{a}\xC3\xA9{b}", mixed, COUNT(mixed));
    expect_injective("\xE2\x82\xAC{a}C3{b}\xC2\xA9{c}", mixed, COUNT(mixed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_different_values_give_different_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
