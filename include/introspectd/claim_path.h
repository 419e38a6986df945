/*
 * claim_path: how a config names a claim: by its literal name or by a JSON Pointer.
 *
 * `name` is the top-level claim of exactly that name, whatever characters it has
 * ("https://ns.example/channel"): it is never split at dots or slashes. A text that begins with `/` is a JSON
 * Pointer (RFC 6901). Immutable once parsed, so any thread may read one.
 */
#ifndef INTROSPECTD_CLAIM_PATH_H
#define INTROSPECTD_CLAIM_PATH_H

#include "introspectd/slice.h"

#include <jansson.h>

typedef struct claim_path claim_path_t;

/*
 * Parses text, copying it. NULL with a static text in *error: empty, an invalid `~` escape (RFC 6901 section
 * 3), not UTF-8, more than 16 tokens, or no memory.
 */
claim_path_t *claim_path_new(slice_t text, const char **error) __attribute__((warn_unused_result));
void claim_path_free(claim_path_t *path);

/* The value at path in payload, borrowed; NULL when there is none. */
json_t *claim_path_get(const claim_path_t *path, const json_t *payload);

#endif
