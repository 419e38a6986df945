#include "forwarded.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static slice_t trim(slice_t text)
{
    while (text.len != 0 && is_blank(text.base[0]))
        text = (slice_t){text.base + 1, text.len - 1};
    while (text.len != 0 && is_blank(text.base[text.len - 1]))
        text.len--;
    return text;
}

/* Takes the last item of a line, without white space. False when the line is used up. */
static bool take_last(slice_t *line, slice_t *item)
{
    if (line->base == NULL)
        return false;
    size_t begin = line->len;
    while (begin != 0 && line->base[begin - 1] != ',')
        begin--;
    *item = trim((slice_t){line->base + begin, line->len - begin});
    *line = begin == 0 ? (slice_t){NULL, 0} : (slice_t){line->base, begin - 1};
    return true;
}

ip_address_t forwarded_peer(ip_address_t nearest, const slice_t *lines, size_t line_count,
                            const ip_prefix_t *trusted, size_t trusted_count)
{
    ip_address_t peer = nearest;
    size_t hops = 0;
    for (size_t i = line_count; i-- > 0;) {
        slice_t line = lines[i];
        slice_t item;
        while (hops < FORWARDED_MAX_HOPS && take_last(&line, &item)) {
            hops++;
            /* A list may have items that are empty (RFC 9110 section 5.6.1.2). */
            if (item.len == 0)
                continue;
            if (!ip_address_parse_with_port(item, &peer) || !ip_prefixes_match(trusted, trusted_count, peer))
                return peer;
        }
    }
    return peer;
}
