#include "proxy_protocol.h"

static const char V1_MARK[] = "PROXY ";
enum { V1_MARK_LEN = sizeof(V1_MARK) - 1 };

/* Section 2.2; it has a NUL inside. */
static const char V2_MARK[] = "\r\n\r\n\0\r\nQUIT\n";
enum { V2_MARK_LEN = sizeof(V2_MARK) - 1, V2_HEAD_LEN = 16 };

enum { COMMAND_LOCAL = 0, COMMAND_PROXY = 1 };
enum { FAMILY_UNSPEC = 0, FAMILY_INET = 1, FAMILY_INET6 = 2, FAMILY_UNIX = 3 };
enum { TRANSPORT_UNSPEC = 0, TRANSPORT_DGRAM = 2 };

static proxy_header_t need_more(void)
{
    return (proxy_header_t){.status = PROXY_HEADER_NEED_MORE};
}

static proxy_header_t bad(const char *problem)
{
    return (proxy_header_t){.status = PROXY_HEADER_BAD, .problem = problem};
}

static proxy_header_t done(size_t len, proxy_header_origin_t origin)
{
    return (proxy_header_t){.status = PROXY_HEADER_DONE, .len = len, .origin = origin};
}

static proxy_header_t done_for(size_t len, ip_address_t source)
{
    proxy_header_t header = done(len, PROXY_HEADER_ORIGIN_CLIENT);
    header.source = source;
    return header;
}

/* Takes what stands before the next space, which is dropped, or all that is left. False when it is empty. */
static bool take_word(slice_t *rest, slice_t *word)
{
    const char *space = rest->len == 0 ? NULL : memchr(rest->base, ' ', rest->len);
    *word = (slice_t){rest->base, space == NULL ? rest->len : (size_t)(space - rest->base)};
    size_t taken = word->len + (space != NULL);
    *rest = (slice_t){rest->base + taken, rest->len - taken};
    return word->len != 0;
}

static bool parse_address(slice_t text, bool is_v6, ip_address_t *out)
{
    bool has_colon = text.len != 0 && memchr(text.base, ':', text.len) != NULL;
    return has_colon == is_v6 && ip_address_parse(text, out);
}

/* `SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT` and nothing behind it. */
static bool parse_v1_addresses(slice_t rest, bool is_v6, ip_address_t *source)
{
    enum { SOURCE, DESTINATION, SOURCE_PORT, DESTINATION_PORT, COUNT };
    slice_t words[COUNT];
    ip_address_t destination;
    for (size_t i = 0; i < COUNT; i++) {
        const char *begin = rest.base;
        if (!take_word(&rest, &words[i]))
            return false;
        /* One word more, and one less: a space at the end has no word behind it. */
        bool had_space = rest.base != begin + words[i].len;
        if (had_space != (i + 1 < COUNT))
            return false;
    }
    return parse_address(words[SOURCE], is_v6, source) &&
           parse_address(words[DESTINATION], is_v6, &destination) && ip_port_is_valid(words[SOURCE_PORT]) &&
           ip_port_is_valid(words[DESTINATION_PORT]);
}

/* line is without its CR LF and has the mark; len is the header's. */
static proxy_header_t parse_v1_line(slice_t line, size_t len)
{
    slice_t rest = {line.base + V1_MARK_LEN, line.len - V1_MARK_LEN};
    slice_t protocol;
    ip_address_t source;
    if (!take_word(&rest, &protocol))
        return bad("the line has no protocol");
    if (slice_equal(protocol, slice_of("UNKNOWN")))
        return done(len, PROXY_HEADER_ORIGIN_UNKNOWN);
    bool is_v6 = slice_equal(protocol, slice_of("TCP6"));
    if (!is_v6 && !slice_equal(protocol, slice_of("TCP4")))
        return bad("the line's protocol is none of TCP4, TCP6 and UNKNOWN");
    if (!parse_v1_addresses(rest, is_v6, &source))
        return bad("the line's addresses or ports are malformed");
    return done_for(len, source);
}

static proxy_header_t parse_v1(slice_t bytes)
{
    size_t max = bytes.len < PROXY_PROTOCOL_V1_MAX_BYTES ? bytes.len : PROXY_PROTOCOL_V1_MAX_BYTES;
    for (size_t i = V1_MARK_LEN; i < max; i++) {
        if (bytes.base[i] == '\n')
            return bad("the line does not end with CR LF");
        if (bytes.base[i] != '\r')
            continue;
        if (i + 1 == max)
            break;
        if (bytes.base[i + 1] != '\n')
            return bad("the line does not end with CR LF");
        return parse_v1_line((slice_t){bytes.base, i}, i + 2);
    }
    return max < PROXY_PROTOCOL_V1_MAX_BYTES ? need_more() : bad("the line is over 107 bytes");
}

/* head has V2_HEAD_LEN bytes, of which this tells whether the rest is worth waiting for. NULL if so. */
static const char *v2_head_problem(const unsigned char *head)
{
    unsigned command = head[12] & 0x0F;
    size_t len = V2_HEAD_LEN + ((size_t)head[14] << 8) + head[15];
    if (head[12] >> 4 != 2)
        return "the version of the binary header is not 2";
    if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
        return "the binary header's command is none of LOCAL and PROXY";
    if (command == COMMAND_PROXY && (head[13] >> 4 > FAMILY_UNIX || (head[13] & 0x0F) > TRANSPORT_DGRAM))
        return "the binary header's address family or transport is not one";
    if (len > PROXY_PROTOCOL_V2_MAX_BYTES)
        return "the binary header is over 4096 bytes";
    return NULL;
}

/* The whole header is there, and its command is PROXY. */
static proxy_header_t parse_v2_addresses(const unsigned char *header, size_t len)
{
    /* Two addresses, and for IP two ports. */
    static const size_t SIZES[] = {
        [FAMILY_UNSPEC] = 0, [FAMILY_INET] = 12, [FAMILY_INET6] = 36, [FAMILY_UNIX] = 216};
    unsigned family = header[13] >> 4;
    /* A combination with an unspecified half is the unspecified one (section 2.2). */
    if ((header[13] & 0x0F) == TRANSPORT_UNSPEC)
        family = FAMILY_UNSPEC;
    const unsigned char *source = header + V2_HEAD_LEN;
    if (len - V2_HEAD_LEN < SIZES[family])
        return bad("the binary header is too short for its addresses");
    if (family == FAMILY_INET)
        return done_for(len, ip_address_from_v4(source));
    if (family == FAMILY_INET6)
        return done_for(len, ip_address_from_v6(source));
    return done(len, PROXY_HEADER_ORIGIN_UNKNOWN);
}

static proxy_header_t parse_v2(slice_t bytes)
{
    const unsigned char *header = (const unsigned char *)bytes.base;
    if (bytes.len < V2_HEAD_LEN)
        return need_more();
    const char *problem = v2_head_problem(header);
    if (problem != NULL)
        return bad(problem);
    size_t len = V2_HEAD_LEN + ((size_t)header[14] << 8) + header[15];
    if (bytes.len < len)
        return need_more();
    if ((header[12] & 0x0F) == COMMAND_LOCAL)
        return done(len, PROXY_HEADER_ORIGIN_LOCAL);
    return parse_v2_addresses(header, len);
}

/* Whether what has arrived is the mark, or may become it. */
static bool may_have_mark(slice_t bytes, const char *mark, size_t mark_len)
{
    return memcmp(bytes.base, mark, bytes.len < mark_len ? bytes.len : mark_len) == 0;
}

proxy_header_t proxy_protocol_parse(slice_t bytes)
{
    if (bytes.len == 0)
        return need_more();
    if (may_have_mark(bytes, V2_MARK, V2_MARK_LEN))
        return parse_v2(bytes);
    if (may_have_mark(bytes, V1_MARK, V1_MARK_LEN))
        return parse_v1(bytes);
    return bad("the connection does not begin with a PROXY protocol header");
}
