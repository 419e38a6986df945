#include "cache_digests.h"

#include <h2o/cache_digests.h>

void cache_digests_ignore(void)
{
}

/*
 * The library's own turns each bit of the header Cache-Digest into eight bytes, before it knows whether
 * anybody needs them, and HPACK gives it a header of four KiB for one byte: a hundred bytes of a request take
 * megabytes. Nothing of ours is pushed to a client, so that its cache does not matter.
 */
void h2o_cache_digests_load_header(h2o_cache_digests_t **digests, const char *value, size_t len)
{
    (void)digests;
    (void)value;
    (void)len;
}
