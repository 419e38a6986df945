#include "client_memo.h"

static size_t place_of(const digest_t *header)
{
    return header->bytes[0] % CLIENT_MEMO_PLACES;
}

const client_t *client_memo_get(const client_memo_t *memo, const digest_t *header)
{
    size_t place = place_of(header);

    /* Keyed digests: how far two of them agree tells nobody anything about the headers. */
    if (memcmp(&memo->places[place].header, header, sizeof(*header)) != 0)
        return NULL;
    return memo->places[place].client;
}

void client_memo_put(client_memo_t *memo, const digest_t *header, const client_t *client)
{
    size_t place = place_of(header);

    memo->places[place].header = *header;
    memo->places[place].client = client;
}
