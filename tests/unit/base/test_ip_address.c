#include "introspectd/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include <cmocka.h>

typedef bool parser_t(slice_t text, ip_address_t *out);

/* The bytes lie in a block of their own, so that a sanitizer sees what is read behind them. */
static bool parse(parser_t *parser, const char *text, size_t len, ip_address_t *out)
{
    char *copy = malloc(len + 1);
    assert_non_null(copy);
    memcpy(copy + 1, text, len);
    bool is_parsed = parser((slice_t){copy + 1, len}, out);
    free(copy);
    return is_parsed;
}

static ip_address_t address_of(const char *text)
{
    ip_address_t address;
    assert_true(ip_address_parse(slice_of(text), &address));
    return address;
}

static void assert_text(ip_address_t address, const char *expected)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    assert_ptr_equal(ip_address_text(address, text), text);
    assert_string_equal(text, expected);
}

typedef struct spelling {
    const char *text;
    const char *canonical; /* NULL: no address */
} spelling_t;

static void assert_spellings(parser_t *parser, const spelling_t *spellings, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ip_address_t address = address_of("9.9.9.9");
        bool is_parsed = parse(parser, spellings[i].text, strlen(spellings[i].text), &address);
        if (is_parsed != (spellings[i].canonical != NULL))
            fail_msg("%s is%s taken", spellings[i].text, is_parsed ? "" : " not");
        /* What is refused leaves the output alone. */
        assert_text(address, is_parsed ? spellings[i].canonical : "9.9.9.9");
    }
}

#define COUNT_OF(list) (sizeof(list) / sizeof((list)[0]))

static void test_text(void **state)
{
    static const spelling_t SPELLINGS[] = {
        {"0.0.0.0", "0.0.0.0"},
        {"192.0.2.1", "192.0.2.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"::", "::"},
        {"::1", "::1"},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
        {"2001:0db8:85a3:0000:0000:8a2e:0370:7334", "2001:db8:85a3::8a2e:370:7334"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:c000:201", "192.0.2.1"},
        {"0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1"},
        {"", NULL},
        {"x", NULL},
        {"1", NULL},
        {"1.2.3", NULL},
        {"1.2.3.4.5", NULL},
        {"1.2.3.256", NULL},
        {"1.2.3.04", NULL},
        {"0x1.2.3.4", NULL},
        {" 1.2.3.4", NULL},
        {"1.2.3.4 ", NULL},
        {"1.2.3.4:80", NULL},
        {"[::1]", NULL},
        {":::1", NULL},
        {"::1::", NULL},
        {"1:2:3:4:5:6:7", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"::12345", NULL},
        {"fe80::1%lo", NULL},
        {"::1/128", NULL},
        {"localhost", NULL},
        {"unknown", NULL},
        {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", NULL},
    };
    (void)state;
    assert_spellings(ip_address_parse, SPELLINGS, COUNT_OF(SPELLINGS));
    ip_address_t address;
    assert_false(parse(ip_address_parse, "1.2.3.4\0", 8, &address));
    assert_false(parse(ip_address_parse, "::1\0x", 5, &address));
    assert_false(ip_address_parse((slice_t){NULL, 0}, &address));
}

static void test_with_port(void **state)
{
    static const spelling_t SPELLINGS[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1:0", "192.0.2.1"},
        {"192.0.2.1:65535", "192.0.2.1"},
        {"2001:db8::1", "2001:db8::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"[2001:db8::1]", "2001:db8::1"},
        {"[2001:db8::1]:443", "2001:db8::1"},
        {"[::ffff:192.0.2.1]:443", "192.0.2.1"},
        {"", NULL},
        {":", NULL},
        {":80", NULL},
        {"[", NULL},
        {"[]", NULL},
        {"[]:80", NULL},
        {"[::1", NULL},
        {"::1]", NULL},
        {"[::1]x", NULL},
        {"[::1]:", NULL},
        {"[::1]:x", NULL},
        {"[::1]:65536", NULL},
        {"[::1]:080", NULL},
        {"[::1]]", NULL},
        {"[[::1]]", NULL},
        {"[192.0.2.1]", NULL},
        {"[192.0.2.1]:80", NULL},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:+80", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:99999999999", NULL},
        {"192.0.2.1:80:80", NULL},
        {"192.0.2:80", NULL},
        {"_hidden", NULL},
        {"\"[::1]:80\"", NULL},
    };
    (void)state;
    assert_spellings(ip_address_parse_with_port, SPELLINGS, COUNT_OF(SPELLINGS));
    ip_address_t address;
    assert_false(ip_address_parse_with_port((slice_t){NULL, 0}, &address));
    assert_false(parse(ip_address_parse_with_port, "1.2.3.4\0:80", 11, &address));
}

static void test_sockaddr(void **state)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 3};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "/run/x.sock"};
    (void)state;
    assert_int_equal(inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr), 1);
    assert_int_equal(inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr), 1);
    assert_text(ip_address_from_sockaddr((struct sockaddr *)&v4, sizeof(v4)), "192.0.2.7");
    assert_text(ip_address_from_sockaddr((struct sockaddr *)&v6, sizeof(v6)), "2001:db8::7");
    assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr), 1);
    assert_true(ip_address_equal(ip_address_from_sockaddr((struct sockaddr *)&v6, sizeof(v6)),
                                 ip_address_from_sockaddr((struct sockaddr *)&v4, sizeof(v4))));

    assert_text(ip_address_from_sockaddr((struct sockaddr *)&local, sizeof(local)), "none");
    assert_text(ip_address_from_sockaddr((struct sockaddr *)&v4, sizeof(v4) - 1), "none");
    assert_text(ip_address_from_sockaddr((struct sockaddr *)&v6, sizeof(v6) - 1), "none");
    assert_text(ip_address_from_sockaddr((struct sockaddr *)&v4, 1), "none");
    assert_text(ip_address_from_sockaddr(NULL, 0), "none");
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(ip_address_equal(address_of("192.0.2.1"), address_of("::ffff:192.0.2.1")));
    assert_false(ip_address_equal(address_of("192.0.2.1"), address_of("192.0.2.2")));
    assert_false(ip_address_equal(address_of("192.0.2.1"), address_of("::192.0.2.1")));
    assert_false(ip_address_equal((ip_address_t){0}, address_of("::")));
    assert_true(ip_address_equal((ip_address_t){0}, (ip_address_t){0}));
    assert_true(
        ip_address_equal(ip_address_from_v4((const unsigned char[]){192, 0, 2, 1}), address_of("192.0.2.1")));
}

static void test_prefix_text(void **state)
{
    static const struct {
        const char *text;
        ip_prefix_fault_t fault;
        const char *prefix;
    } CASES[] = {
        {"10.0.0.0/8", IP_PREFIX_IS_GOOD, "10.0.0.0/8"},
        {"0.0.0.0/0", IP_PREFIX_IS_GOOD, "0.0.0.0/0"},
        {"192.0.2.1", IP_PREFIX_IS_GOOD, "192.0.2.1/32"},
        {"192.0.2.1/32", IP_PREFIX_IS_GOOD, "192.0.2.1/32"},
        {"192.0.2.128/25", IP_PREFIX_IS_GOOD, "192.0.2.128/25"},
        {"::/0", IP_PREFIX_IS_GOOD, "::/0"},
        {"::1", IP_PREFIX_IS_GOOD, "::1/128"},
        {"2001:DB8::/32", IP_PREFIX_IS_GOOD, "2001:db8::/32"},
        {"fe80::/10", IP_PREFIX_IS_GOOD, "fe80::/10"},
        {"::ffff:10.0.0.0/104", IP_PREFIX_IS_GOOD, "10.0.0.0/8"},
        {"::ffff:0:0/96", IP_PREFIX_IS_GOOD, "0.0.0.0/0"},
        {"10.1.0.0/8", IP_PREFIX_HAS_HOST_BITS, "10.0.0.0/8"},
        {"10.0.0.1/31", IP_PREFIX_HAS_HOST_BITS, "10.0.0.0/31"},
        {"192.0.2.129/25", IP_PREFIX_HAS_HOST_BITS, "192.0.2.128/25"},
        {"1.1.1.1/0", IP_PREFIX_HAS_HOST_BITS, "0.0.0.0/0"},
        {"2001:db8::1/64", IP_PREFIX_HAS_HOST_BITS, "2001:db8::/64"},
        {"::1/127", IP_PREFIX_HAS_HOST_BITS, "::/127"},
        {"::ffff:0:0/95", IP_PREFIX_HAS_HOST_BITS, "::fffe:0:0/95"},
        {"", IP_PREFIX_IS_MALFORMED, NULL},
        {"/8", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/33", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/08", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/-1", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/8 ", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/8/8", IP_PREFIX_IS_MALFORMED, NULL},
        {"10.0.0.0/255.0.0.0", IP_PREFIX_IS_MALFORMED, NULL},
        {"10/8", IP_PREFIX_IS_MALFORMED, NULL},
        {"::/129", IP_PREFIX_IS_MALFORMED, NULL},
        {"::/4294967296", IP_PREFIX_IS_MALFORMED, NULL},
        {"[::]/0", IP_PREFIX_IS_MALFORMED, NULL},
        {"localhost", IP_PREFIX_IS_MALFORMED, NULL},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(CASES); i++) {
        ip_prefix_t prefix;
        char text[IP_PREFIX_TEXT_SIZE];
        ip_prefix_fault_t fault = ip_prefix_parse(slice_of(CASES[i].text), &prefix);
        if (fault != CASES[i].fault)
            fail_msg("%s gives %d", CASES[i].text, (int)fault);
        if (fault != IP_PREFIX_IS_MALFORMED)
            assert_string_equal(ip_prefix_text(&prefix, text), CASES[i].prefix);
    }
    ip_prefix_t prefix;
    assert_int_equal(ip_prefix_parse((slice_t){NULL, 0}, &prefix), IP_PREFIX_IS_MALFORMED);
}

static bool is_in(const char *prefix_text, const char *address)
{
    ip_prefix_t prefix;
    assert_int_equal(ip_prefix_parse(slice_of(prefix_text), &prefix), IP_PREFIX_IS_GOOD);
    return ip_prefixes_match(&prefix, 1, address_of(address));
}

static void test_match(void **state)
{
    (void)state;
    assert_true(is_in("10.0.0.0/8", "10.255.255.255"));
    assert_true(is_in("10.0.0.0/8", "::ffff:10.1.2.3"));
    assert_false(is_in("10.0.0.0/8", "11.0.0.0"));
    assert_true(is_in("192.0.2.1", "192.0.2.1"));
    assert_false(is_in("192.0.2.1", "192.0.2.0"));
    assert_true(is_in("192.0.2.128/25", "192.0.2.128"));
    assert_false(is_in("192.0.2.128/25", "192.0.2.127"));
    assert_true(is_in("0.0.0.0/0", "255.0.0.1"));
    assert_false(is_in("0.0.0.0/0", "2001:db8::1"));
    assert_true(is_in("::/0", "2001:db8::1"));
    assert_false(is_in("::/0", "10.0.0.1"));
    assert_true(is_in("fe80::/10", "febf::1"));
    assert_false(is_in("fe80::/10", "fec0::1"));
    assert_true(is_in("::1", "::1"));
    assert_false(is_in("::1", "::2"));
    assert_false(is_in("::10.0.0.1", "10.0.0.1"));
}

/* Each length of a prefix, against flips of each bit. */
static void test_match_every_bit(void **state)
{
    (void)state;
    ip_address_t address = address_of("2001:db8:a5a5:5a5a:ff00:ff:1234:8421");
    for (unsigned bits = 0; bits <= 128; bits++) {
        char text[IP_PREFIX_TEXT_SIZE];
        char spelled[IP_ADDRESS_TEXT_SIZE];
        ip_prefix_t prefix;
        snprintf(text, sizeof(text), "%s/%u", ip_address_text(address, spelled), bits);
        assert_int_not_equal(ip_prefix_parse(slice_of(text), &prefix), IP_PREFIX_IS_MALFORMED);
        assert_true(ip_prefixes_match(&prefix, 1, address));
        for (unsigned bit = 0; bit < 128; bit++) {
            ip_address_t other = address;
            other.bytes[bit / 8] ^= (unsigned char)(0x80 >> bit % 8);
            assert_int_equal(ip_prefixes_match(&prefix, 1, other), bit >= bits);
        }
    }
}

static void test_match_of_several(void **state)
{
    ip_prefix_t prefixes[3];
    (void)state;
    assert_int_equal(ip_prefix_parse(slice_of("10.0.0.0/8"), &prefixes[0]), IP_PREFIX_IS_GOOD);
    assert_int_equal(ip_prefix_parse(slice_of("::/0"), &prefixes[1]), IP_PREFIX_IS_GOOD);
    assert_int_equal(ip_prefix_parse(slice_of("0.0.0.0/0"), &prefixes[2]), IP_PREFIX_IS_GOOD);
    assert_true(ip_prefixes_match(prefixes, 2, address_of("10.0.0.1")));
    assert_true(ip_prefixes_match(prefixes, 2, address_of("::1")));
    assert_false(ip_prefixes_match(prefixes, 2, address_of("11.0.0.1")));
    assert_true(ip_prefixes_match(prefixes, 3, address_of("11.0.0.1")));
    assert_false(ip_prefixes_match(prefixes, 3, (ip_address_t){0}));
    assert_false(ip_prefixes_match(NULL, 0, address_of("::1")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_with_port),
        cmocka_unit_test(test_sockaddr),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_prefix_text),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_match_every_bit),
        cmocka_unit_test(test_match_of_several),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
