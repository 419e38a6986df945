/*
 * hpack_count: how many fields a header block has (RFC 7541 section 6), without decoding it.
 *
 * A field costs the HTTP library a few dozen bytes whatever it takes on the wire, which may be one byte. So
 * they are counted before it sees them. A block may come in pieces that are cut anywhere.
 */
#ifndef INTROSPECTD_HTTP_HPACK_COUNT_H
#define INTROSPECTD_HTTP_HPACK_COUNT_H

#include "introspectd/slice.h"

#include <stdint.h>

typedef struct hpack_count {
    unsigned fields;
    uint8_t expects; /* what the next byte is; 0 at the start of a block */
    uint8_t strings; /* that are still to come in this field */
    unsigned shift;  /* of an integer's next byte */
    uint64_t number; /* of an integer so far, then bytes of a string that are left */
} hpack_count_t;

/*
 * Takes the next piece of a block; count is zero-initialised before the first. What is no HPACK is counted
 * somehow, and no further than it is long: the library refuses it.
 */
void hpack_count_add(hpack_count_t *count, slice_t piece);

#endif
