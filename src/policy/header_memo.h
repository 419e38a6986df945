/*
 * header_memo: headers of tokens that were good, parsed, since nearly all tokens of an issuer's key have the
 * same.
 *
 * They are known by their text. A memo is bounded and belongs to one thread; the owner deinits it.
 */
#ifndef INTROSPECTD_POLICY_HEADER_MEMO_H
#define INTROSPECTD_POLICY_HEADER_MEMO_H

#include "introspectd/compact.h"

enum { HEADER_MEMO_PLACES = 16, HEADER_MEMO_MAX_BYTES = 256 };

/* Zero-initialised it is empty. */
typedef struct header_memo {
    struct {
        size_t len; /* 0: the place is free */
        char text[HEADER_MEMO_MAX_BYTES];
        compact_header_t header;
    } places[HEADER_MEMO_PLACES];
    size_t oldest;
} header_memo_t;

void header_memo_deinit(header_memo_t *memo);

/* The header of compact, if it is remembered. The caller calls compact_header_deinit. */
bool header_memo_get(const header_memo_t *memo, const compact_t *compact, compact_header_t *out)
    __attribute__((warn_unused_result));

/* Remembers it, in place of another one if need be. One that is long, cannot be parsed, or is there already
 * changes nothing. */
void header_memo_put(header_memo_t *memo, const compact_t *compact);

#endif
