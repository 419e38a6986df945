#include "client_memo.h"

/* Two, so that two busy callers rarely push each other out again and again. */
enum { WAYS = 2 };

static size_t place_of(const digest_t *header, size_t way)
{
    return header->bytes[way] % CLIENT_MEMO_PLACES;
}

const client_t *client_memo_get(const client_memo_t *memo, const digest_t *header)
{
    for (size_t way = 0; way < WAYS; way++) {
        size_t place = place_of(header, way);
        /* Keyed digests: how far two of them agree tells nobody anything about the headers. */
        if (memcmp(&memo->places[place].header, header, sizeof(*header)) == 0)
            return memo->places[place].client;
    }
    return NULL;
}

void client_memo_put(client_memo_t *memo, const digest_t *header, const client_t *client)
{
    size_t place = place_of(header, 0);

    for (size_t way = 1; way < WAYS && memo->places[place].client != NULL; way++)
        place = place_of(header, way);
    memo->places[place].header = *header;
    memo->places[place].client = client;
}
