#include "raw_head.h"

#include <strings.h>

/* How often a head has what decides where the request ends, and for whom it is. */
typedef struct framing {
    unsigned hosts;
    unsigned content_lengths;
    unsigned transfer_encodings;
} framing_t;

/* The library lets no white space stand before the colon. */
static bool is_named(slice_t line, const char *name_and_colon)
{
    size_t len = strlen(name_and_colon);
    return line.len >= len && strncasecmp(line.base, name_and_colon, len) == 0;
}

static void count_header(framing_t *framing, slice_t line)
{
    /* Most lines are told apart by one letter. */
    switch (line.len == 0 ? '\0' : line.base[0] | 0x20) {
    case 'h':
        framing->hosts += is_named(line, "host:");
        break;
    case 'c':
        framing->content_lengths += is_named(line, "content-length:");
        break;
    case 't':
        framing->transfer_encodings += is_named(line, "transfer-encoding:");
        break;
    default:
        break;
    }
}

/* Takes the next line from *rest, without its end. False when that is no CR LF. */
static bool take_line(slice_t *rest, slice_t *line)
{
    const char *end = memchr(rest->base, '\n', rest->len);
    if (end == NULL || end == rest->base || end[-1] != '\r')
        return false;
    *line = (slice_t){rest->base, (size_t)(end - 1 - rest->base)};
    rest->len -= (size_t)(end + 1 - rest->base);
    rest->base = end + 1;
    return true;
}

/* RFC 9112 section 6.1: what HTTP/1.0 knows nothing of, a recipient on the way may have passed by. */
static bool is_http10(slice_t request_line)
{
    static const char VERSION[] = " HTTP/1.0";
    const size_t len = sizeof(VERSION) - 1;
    return request_line.len > len && memcmp(request_line.base + request_line.len - len, VERSION, len) == 0;
}

static const char *framing_problem(const framing_t *framing, slice_t request_line)
{
    if (framing->hosts > 1)
        return "the header Host is repeated";
    if (framing->content_lengths > 1)
        return "the header Content-Length is repeated";
    if (framing->transfer_encodings > 1)
        return "the header Transfer-Encoding is repeated";
    if (framing->content_lengths != 0 && framing->transfer_encodings != 0)
        return "both Content-Length and Transfer-Encoding are given";
    if (framing->transfer_encodings != 0 && is_http10(request_line))
        return "Transfer-Encoding is given with HTTP/1.0";
    return NULL;
}

const char *raw_head_problem(slice_t bytes, bool *is_chunked)
{
    static const char BARE_LF[] = "a line of the head does not end with CR LF";
    framing_t framing = {0};
    slice_t rest = bytes;
    slice_t request_line;
    slice_t line;
    *is_chunked = false;
    /* The library lets an empty line stand before the request (RFC 9112 section 2.2). */
    if (rest.len >= 2 && memcmp(rest.base, "\r\n", 2) == 0)
        rest = (slice_t){rest.base + 2, rest.len - 2};
    if (!take_line(&rest, &request_line))
        return BARE_LF;
    do {
        if (!take_line(&rest, &line))
            return BARE_LF;
        count_header(&framing, line);
    } while (line.len != 0);
    *is_chunked = framing.transfer_encodings != 0;
    return framing_problem(&framing, request_line);
}
