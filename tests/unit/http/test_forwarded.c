#include "forwarded.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { MAX_LINES = 4 };

static ip_prefix_t prefix_of(const char *text)
{
    ip_prefix_t prefix;
    assert_int_equal(ip_prefix_parse(slice_of(text), &prefix), IP_PREFIX_IS_GOOD);
    return prefix;
}

/* Behind a proxy of 10.1.0.1, where 10.0.0.0/8 and fd00::/8 are trusted. */
static void assert_peer(const slice_t *lines, size_t count, const char *expected)
{
    ip_prefix_t trusted[] = {prefix_of("10.0.0.0/8"), prefix_of("fd00::/8")};
    ip_address_t nearest;
    char text[IP_ADDRESS_TEXT_SIZE];
    assert_true(ip_address_parse(slice_of("10.1.0.1"), &nearest));
    assert_string_equal(ip_address_text(forwarded_peer(nearest, lines, count, trusted, 2), text), expected);
}

static void test_one_line(void **state)
{
    static const struct {
        const char *line;
        const char *peer;
    } CASES[] = {
        {"", "10.1.0.1"},
        {" \t ", "10.1.0.1"},
        {"192.0.2.1", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {" 192.0.2.1\t", "192.0.2.1"},
        {"192.0.2.1:8080", "192.0.2.1"},
        {"[2001:db8::1]:8080", "2001:db8::1"},
        /* What the client claims is to the left of it. */
        {"198.51.100.9, 192.0.2.1", "192.0.2.1"},
        {"10.9.9.9,192.0.2.1", "192.0.2.1"},
        {"rubbish, 192.0.2.1", "192.0.2.1"},
        /* Proxies on the way */
        {"192.0.2.1, 10.0.0.2", "192.0.2.1"},
        {"198.51.100.9, 192.0.2.1, 10.0.0.2 , 10.0.0.3", "192.0.2.1"},
        {"192.0.2.1, fd00::1, ::ffff:10.0.0.2", "192.0.2.1"},
        {"2001:db8::1,[fd00::1]:443,10.0.0.3:443", "2001:db8::1"},
        /* All are trusted: the leftmost one. */
        {"10.0.0.5", "10.0.0.5"},
        {"10.0.0.5, 10.0.0.4", "10.0.0.5"},
        /* Rubbish ends the walk. */
        {"rubbish", "10.1.0.1"},
        {"unknown", "10.1.0.1"},
        {"unix:", "10.1.0.1"},
        {"192.0.2.1, unknown", "10.1.0.1"},
        {"192.0.2.1, rubbish, 10.0.0.2", "10.0.0.2"},
        {"192.0.2.1 10.0.0.2", "10.1.0.1"},
        {"192.0.2.1; 10.0.0.2", "10.1.0.1"},
        {"for=192.0.2.1", "10.1.0.1"},
        {"\"192.0.2.1\"", "10.1.0.1"},
        {"192.0.2.1/32", "10.1.0.1"},
        {"fe80::1%lo", "10.1.0.1"},
        /* Empty items */
        {",", "10.1.0.1"},
        {",,192.0.2.1,,", "192.0.2.1"},
        {"192.0.2.1, ,10.0.0.2,", "192.0.2.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        slice_t line = slice_of(CASES[i].line);
        assert_peer(&line, 1, CASES[i].peer);
    }
}

static void test_several_lines(void **state)
{
    static const struct {
        const char *lines[MAX_LINES];
        const char *peer;
    } CASES[] = {
        {{NULL}, "10.1.0.1"},
        {{"198.51.100.9", "192.0.2.1"}, "192.0.2.1"},
        {{"198.51.100.9", "192.0.2.1", "10.0.0.2"}, "192.0.2.1"},
        {{"198.51.100.9, 192.0.2.1", "10.0.0.2, 10.0.0.3", "", "10.0.0.4"}, "192.0.2.1"},
        {{"192.0.2.1", "rubbish", "10.0.0.3"}, "10.0.0.3"},
        {{"192.0.2.1", ""}, "192.0.2.1"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        slice_t lines[MAX_LINES];
        size_t count = 0;
        for (; count < MAX_LINES && CASES[i].lines[count] != NULL; count++)
            lines[count] = slice_of(CASES[i].lines[count]);
        assert_peer(lines, count, CASES[i].peer);
    }
}

static void test_too_many_hops(void **state)
{
    char line[64 * FORWARDED_MAX_HOPS] = "192.0.2.1";
    slice_t lines[] = {{line, strlen(line)}, slice_of("10.0.1.1")};
    (void)state;
    /* The client's and the second line's are hops too. */
    for (int i = 0; i < FORWARDED_MAX_HOPS - 2; i++)
        lines[0].len += (size_t)snprintf(line + lines[0].len, sizeof(line) - lines[0].len, ",10.0.2.%d", i);
    assert_peer(lines, 2, "192.0.2.1");
    lines[0].len += (size_t)snprintf(line + lines[0].len, sizeof(line) - lines[0].len, ",10.0.3.1");
    assert_peer(lines, 2, "10.0.2.0");
}

static void test_nobody_is_trusted_or_has_an_address(void **state)
{
    ip_address_t none = {.family = IP_FAMILY_NONE};
    slice_t line = slice_of("192.0.2.1, 10.0.0.2");
    slice_t rubbish = slice_of("192.0.2.1, rubbish");
    char text[IP_ADDRESS_TEXT_SIZE];
    (void)state;
    assert_string_equal(ip_address_text(forwarded_peer(none, &line, 1, NULL, 0), text), "10.0.0.2");
    assert_string_equal(ip_address_text(forwarded_peer(none, &rubbish, 1, NULL, 0), text), "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_line),
        cmocka_unit_test(test_several_lines),
        cmocka_unit_test(test_too_many_hops),
        cmocka_unit_test(test_nobody_is_trusted_or_has_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
