#include "header_memo.h"

static const compact_header_t *find(const header_memo_t *memo, slice_t text)
{
    for (size_t i = 0; i < HEADER_MEMO_PLACES; i++) {
        if (memo->places[i].len == text.len && memcmp(memo->places[i].text, text.base, text.len) == 0)
            return &memo->places[i].header;
    }
    return NULL;
}

void header_memo_deinit(header_memo_t *memo)
{
    for (size_t i = 0; i < HEADER_MEMO_PLACES; i++)
        compact_header_deinit(&memo->places[i].header);
    *memo = (header_memo_t){0};
}

bool header_memo_get(const header_memo_t *memo, const compact_t *compact, compact_header_t *out)
{
    const compact_header_t *header = find(memo, compact->header);
    if (header == NULL)
        return false;
    *out = *header;
    json_incref(out->json);
    return true;
}

void header_memo_put(header_memo_t *memo, const compact_t *compact)
{
    const slice_t text = compact->header;
    compact_header_t header;
    if (text.len > HEADER_MEMO_MAX_BYTES || find(memo, text) != NULL ||
        compact_parse_header(compact, &header) != REASON_NONE)
        return;
    size_t place = memo->oldest;
    compact_header_deinit(&memo->places[place].header);
    memo->places[place].header = header;
    memo->places[place].len = text.len;
    memcpy(memo->places[place].text, text.base, text.len);
    memo->oldest = (place + 1) % HEADER_MEMO_PLACES;
}
