#include "proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define MARK "\r\n\r\n\0\r\nQUIT\n"
#define SLICE(text) ((slice_t){(text), sizeof(text) - 1})

/* The bytes lie at the end of a block of their own, so that a sanitizer sees what is read behind them. */
static proxy_header_t parse(slice_t bytes)
{
    char *copy = malloc(bytes.len + 1);
    assert_non_null(copy);
    if (bytes.len != 0)
        memcpy(copy + 1, bytes.base, bytes.len);
    proxy_header_t header = proxy_protocol_parse((slice_t){copy + 1, bytes.len});
    free(copy);
    return header;
}

typedef struct good {
    slice_t bytes;
    proxy_header_origin_t origin;
    const char *source;
} good_t;

static void assert_good(const good_t *good)
{
    char text[IP_ADDRESS_TEXT_SIZE];
    /* What a client sends may follow at once; it is none of the header's business. */
    static const char *const FOLLOWED_BY[] = {"", "\r\n", "PROXY ", "POST / HTTP/1.1\r\n\r\n"};
    for (size_t len = 0; len < good->bytes.len; len++) {
        if (parse((slice_t){good->bytes.base, len}).status != PROXY_HEADER_NEED_MORE)
            fail_msg("%zu bytes are not too few", len);
    }
    for (size_t i = 0; i < sizeof(FOLLOWED_BY) / sizeof(FOLLOWED_BY[0]); i++) {
        size_t more = strlen(FOLLOWED_BY[i]);
        char *whole = malloc(good->bytes.len + more);
        assert_non_null(whole);
        memcpy(whole, good->bytes.base, good->bytes.len);
        memcpy(whole + good->bytes.len, FOLLOWED_BY[i], more);
        proxy_header_t header = parse((slice_t){whole, good->bytes.len + more});
        free(whole);
        assert_null(header.problem);
        assert_int_equal(header.status, PROXY_HEADER_DONE);
        assert_int_equal(header.len, good->bytes.len);
        assert_int_equal(header.origin, good->origin);
        assert_string_equal(ip_address_text(header.source, text), good->source);
    }
}

static void test_good_lines(void **state)
{
    static const struct {
        const char *line;
        const char *source; /* NULL: unknown */
    } LINES[] = {
        {"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", "192.0.2.1"},
        {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"},
        {"PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n", "0.0.0.0"},
        {"PROXY TCP6 2001:db8::1 ::1 1 2\r\n", "2001:db8::1"},
        {"PROXY TCP6 FFFF:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
         "65535\r\n",
         "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"PROXY TCP6 ::ffff:192.0.2.1 ::ffff:192.0.2.2 1 2\r\n", "192.0.2.1"},
        {"PROXY UNKNOWN\r\n", NULL},
        {"PROXY UNKNOWN \r\n", NULL},
        {"PROXY UNKNOWN anything at\tall, TCP4 \x01\r\n", NULL},
        /* 107 bytes */
        {"PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
         "65535 65535\r\n",
         NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++) {
        bool is_known = LINES[i].source != NULL;
        good_t good = {slice_of(LINES[i].line),
                       is_known ? PROXY_HEADER_ORIGIN_CLIENT : PROXY_HEADER_ORIGIN_UNKNOWN,
                       is_known ? LINES[i].source : "none"};
        assert_good(&good);
    }
    assert_int_equal(strlen(LINES[sizeof(LINES) / sizeof(LINES[0]) - 1].line), PROXY_PROTOCOL_V1_MAX_BYTES);
}

#define V4_ADDRESSES "\xC0\x00\x02\x01\xC6\x33\x64\x02\xDC\x04\x01\xBB"
#define V6_SOURCE "\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6_ADDRESSES V6_SOURCE V6_SOURCE "\xDC\x04\x01\xBB"

static void test_good_binary(void **state)
{
    static const good_t HEADERS[] = {
        {SLICE(MARK "\x21\x11\0\x0C" V4_ADDRESSES), PROXY_HEADER_ORIGIN_CLIENT, "192.0.2.1"},
        {SLICE(MARK "\x21\x12\0\x0C" V4_ADDRESSES), PROXY_HEADER_ORIGIN_CLIENT, "192.0.2.1"},
        {SLICE(MARK "\x21\x21\0\x24" V6_ADDRESSES), PROXY_HEADER_ORIGIN_CLIENT, "2001:db8::1"},
        {SLICE(MARK "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xC0\0\x02\x01" V6_SOURCE "1122"),
         PROXY_HEADER_ORIGIN_CLIENT, "192.0.2.1"},
        /* TLVs: a no-op of one byte; rubbish is not looked at either. */
        {SLICE(MARK "\x21\x11\0\x10" V4_ADDRESSES "\x04\0\x01x"), PROXY_HEADER_ORIGIN_CLIENT, "192.0.2.1"},
        {SLICE(MARK "\x21\x11\0\x0E" V4_ADDRESSES "\xFF\xFF"), PROXY_HEADER_ORIGIN_CLIENT, "192.0.2.1"},
        /* LOCAL, whatever its family is */
        {SLICE(MARK "\x20\x00\0\0"), PROXY_HEADER_ORIGIN_LOCAL, "none"},
        {SLICE(MARK "\x20\x11\0\x0C" V4_ADDRESSES), PROXY_HEADER_ORIGIN_LOCAL, "none"},
        {SLICE(MARK "\x20\x21\0\x01x"), PROXY_HEADER_ORIGIN_LOCAL, "none"},
        {SLICE(MARK "\x20\xFF\0\0"), PROXY_HEADER_ORIGIN_LOCAL, "none"},
        /* Nobody whose address is told */
        {SLICE(MARK "\x21\x00\0\0"), PROXY_HEADER_ORIGIN_UNKNOWN, "none"},
        {SLICE(MARK "\x21\x00\0\x0C" V4_ADDRESSES), PROXY_HEADER_ORIGIN_UNKNOWN, "none"},
        {SLICE(MARK "\x21\x01\0\0"), PROXY_HEADER_ORIGIN_UNKNOWN, "none"},
        {SLICE(MARK "\x21\x10\0\x0C" V4_ADDRESSES), PROXY_HEADER_ORIGIN_UNKNOWN, "none"},
        {SLICE(MARK "\x21\x20\0\0"), PROXY_HEADER_ORIGIN_UNKNOWN, "none"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++)
        assert_good(&HEADERS[i]);
}

/* A binary header of that many bytes, in a block of its own. */
static char *long_header(unsigned char family, size_t len)
{
    char *header = malloc(len);
    assert_non_null(header);
    memset(header, 0x55, len);
    memcpy(header, MARK, sizeof(MARK) - 1);
    header[12] = 0x21;
    header[13] = (char)family;
    header[14] = (char)(unsigned char)((len - 16) >> 8);
    header[15] = (char)(unsigned char)(len - 16);
    return header;
}

static void test_lengths(void **state)
{
    (void)state;
    char *longest = long_header(0x11, PROXY_PROTOCOL_V2_MAX_BYTES);
    good_t good = {{longest, PROXY_PROTOCOL_V2_MAX_BYTES}, PROXY_HEADER_ORIGIN_CLIENT, "85.85.85.85"};
    assert_good(&good);
    free(longest);
    char *unix_header = long_header(0x31, 16 + 216);
    good = (good_t){{unix_header, 16 + 216}, PROXY_HEADER_ORIGIN_UNKNOWN, "none"};
    assert_good(&good);
    free(unix_header);
    /* Known by its first bytes, before anything of it is kept. */
    char *too_long = long_header(0x11, PROXY_PROTOCOL_V2_MAX_BYTES + 1);
    assert_int_equal(parse((slice_t){too_long, 15}).status, PROXY_HEADER_NEED_MORE);
    assert_int_equal(parse((slice_t){too_long, 16}).status, PROXY_HEADER_BAD);
    free(too_long);
    assert_string_equal(parse(SLICE(MARK "\x20\0\xFF\xFF")).problem, "the binary header is over 4096 bytes");
}

/* A bad header never becomes a good one: once bad, or still wanting more, until it is bad at the end. */
static void assert_bad(slice_t bytes, const char *problem)
{
    bool was_bad = false;
    for (size_t len = 0; len <= bytes.len; len++) {
        proxy_header_t header = parse((slice_t){bytes.base, len});
        assert_int_not_equal(header.status, PROXY_HEADER_DONE);
        if (was_bad)
            assert_int_equal(header.status, PROXY_HEADER_BAD);
        was_bad = header.status == PROXY_HEADER_BAD;
        if (len == bytes.len && !was_bad)
            fail_msg("not bad: %.*s", (int)bytes.len, bytes.base);
        if (was_bad)
            assert_string_equal(header.problem, problem);
    }
}

static void test_bad_beginnings(void **state)
{
    static const slice_t BEGINNINGS[] = {
        SLICE("\0"),
        SLICE("\n"),
        SLICE("X"),
        SLICE("proxy "),
        SLICE("POST / HTTP/1.1\r\n"),
        SLICE("PRI * "),
        SLICE("PROXX"),
        SLICE("PROXY\r\n"),
        SLICE("PROXY\tTCP4"),
        SLICE(" PROXY "),
        SLICE("\r\r"),
        SLICE("\r\nPOST"),
        SLICE("\x16\x03\x01"),
        /* The mark with one byte that is another. */
        SLICE("\r\n\r\n\x01"),
        SLICE("\r\n\r\n\0\r\nQUIT\r"),
    };
    (void)state;
    for (size_t i = 0; i < sizeof(BEGINNINGS) / sizeof(BEGINNINGS[0]); i++)
        assert_bad(BEGINNINGS[i], "the connection does not begin with a PROXY protocol header");
}

static void test_bad_lines(void **state)
{
    static const char NO_ADDRESSES[] = "the line's addresses or ports are malformed";
    static const char NO_PROTOCOL[] = "the line's protocol is none of TCP4, TCP6 and UNKNOWN";
    static const char NO_END[] = "the line does not end with CR LF";
    static const struct {
        slice_t line;
        const char *problem;
    } LINES[] = {
        {SLICE("PROXY \r\n"), "the line has no protocol"},
        {SLICE("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), "the line has no protocol"},
        {SLICE("PROXY TCP\r\n"), NO_PROTOCOL},
        {SLICE("PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n"), NO_PROTOCOL},
        {SLICE("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n"), NO_PROTOCOL},
        {SLICE("PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n"), NO_PROTOCOL},
        {SLICE("PROXY UNKNOWNX\r\n"), NO_PROTOCOL},
        {SLICE("PROXY UNKNOWN\0\r\n"), NO_PROTOCOL},
        {SLICE("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n"), NO_PROTOCOL},
        {SLICE("PROXY TCP4\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 \r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 x\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 ::1 ::1 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 ::ffff:192.0.2.1 192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP6 ::1 192.0.2.2 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP6 [::1] [::1] 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP6 :::1 ::1 1 2\r\n"), NO_ADDRESSES},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n"), NO_END},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX"), NO_END},
        {SLICE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n"), NO_END},
        {SLICE("PROXY UNKNOWN \n\r\n"), NO_END},
        {SLICE("PROXY UNKNOWN \rx\r\n"), NO_END},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(LINES) / sizeof(LINES[0]); i++)
        assert_bad(LINES[i].line, LINES[i].problem);
}

static void test_endless_line(void **state)
{
    char line[PROXY_PROTOCOL_V1_MAX_BYTES + 1];
    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, "PROXY UNKNOWN ", 14);
    assert_int_equal(parse((slice_t){line, PROXY_PROTOCOL_V1_MAX_BYTES - 1}).status, PROXY_HEADER_NEED_MORE);
    assert_bad((slice_t){line, PROXY_PROTOCOL_V1_MAX_BYTES}, "the line is over 107 bytes");
    /* One byte too late. */
    line[PROXY_PROTOCOL_V1_MAX_BYTES - 1] = '\r';
    line[PROXY_PROTOCOL_V1_MAX_BYTES] = '\n';
    assert_bad((slice_t){line, PROXY_PROTOCOL_V1_MAX_BYTES + 1}, "the line is over 107 bytes");
}

static void test_bad_binary(void **state)
{
    static const char NO_VERSION[] = "the version of the binary header is not 2";
    static const char NO_COMMAND[] = "the binary header's command is none of LOCAL and PROXY";
    static const char NO_FAMILY[] = "the binary header's address family or transport is not one";
    static const char TOO_SHORT[] = "the binary header is too short for its addresses";
    static const struct {
        slice_t header;
        const char *problem;
    } HEADERS[] = {
        {SLICE(MARK "\x11\x11\0\x0C" V4_ADDRESSES), NO_VERSION},
        {SLICE(MARK "\x31\x11\0\x0C" V4_ADDRESSES), NO_VERSION},
        {SLICE(MARK "\x01\x11\0\x0C" V4_ADDRESSES), NO_VERSION},
        {SLICE(MARK "\xA1\x11\0\x0C" V4_ADDRESSES), NO_VERSION},
        {SLICE(MARK "\x22\x11\0\x0C" V4_ADDRESSES), NO_COMMAND},
        {SLICE(MARK "\x2F\x11\0\x0C" V4_ADDRESSES), NO_COMMAND},
        {SLICE(MARK "\x21\x41\0\x0C" V4_ADDRESSES), NO_FAMILY},
        {SLICE(MARK "\x21\xF1\0\x0C" V4_ADDRESSES), NO_FAMILY},
        {SLICE(MARK "\x21\x13\0\x0C" V4_ADDRESSES), NO_FAMILY},
        {SLICE(MARK "\x21\x1F\0\x0C" V4_ADDRESSES), NO_FAMILY},
        {SLICE(MARK "\x21\x11\0\0"), TOO_SHORT},
        {SLICE(MARK "\x21\x11\0\x0B" V4_ADDRESSES), TOO_SHORT},
        {SLICE(MARK "\x21\x12\0\x04" V4_ADDRESSES), TOO_SHORT},
        {SLICE(MARK "\x21\x21\0\x0C" V4_ADDRESSES), TOO_SHORT},
        {SLICE(MARK "\x21\x21\0\x23" V6_ADDRESSES), TOO_SHORT},
        {SLICE(MARK "\x21\x31\0\x24" V6_ADDRESSES), TOO_SHORT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(HEADERS) / sizeof(HEADERS[0]); i++)
        assert_bad(HEADERS[i].header, HEADERS[i].problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines), cmocka_unit_test(test_good_binary),
        cmocka_unit_test(test_lengths),    cmocka_unit_test(test_bad_beginnings),
        cmocka_unit_test(test_bad_lines),  cmocka_unit_test(test_endless_line),
        cmocka_unit_test(test_bad_binary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
