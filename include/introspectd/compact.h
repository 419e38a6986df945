/*
 * compact: JWS compact serialization (RFC 7515 section 7.1), split and decoded strictly.
 *
 * Nothing here trusts the token: the header only proposes an algorithm and a key. `jwk`, `jku`, `x5u` and
 * `x5c` are never read (RFC 8725 section 3.10). Any thread; a compact_t borrows the token's bytes, a
 * compact_header_t owns its JSON.
 */
#ifndef INTROSPECTD_COMPACT_H
#define INTROSPECTD_COMPACT_H

#include "introspectd/algorithm.h"
#include "introspectd/reason.h"
#include "introspectd/slice.h"

#include <jansson.h>

typedef struct compact {
    slice_t header;        /* base64url */
    slice_t payload;       /* base64url; may be empty */
    slice_t signature;     /* base64url; may be empty */
    slice_t signing_input; /* header "." payload */
} compact_t;

typedef struct compact_header {
    json_t *json;       /* the whole header */
    bool has_algorithm; /* false when `alg` names none that is verified here (`none` among them) */
    algorithm_t algorithm;
    slice_t algorithm_name; /* as the token spells it; absent when it has no string `alg` */
    slice_t kid;            /* absent when the token has none */
    slice_t typ;            /* absent when the token has none */
} compact_header_t;

/*
 * Splits token. REASON_MALFORMED unless it is exactly three parts of strict base64url with a non-empty
 * header; REASON_ENCRYPTED for five parts. An empty payload is a legal JWS (RFC 7515 section 7.1), though no
 * JWT. An empty signature is left to verification, which refuses it.
 */
reason_t compact_split(slice_t token, compact_t *out) __attribute__((warn_unused_result));

/*
 * Decodes and parses the header. REASON_MALFORMED when it is not a strict JSON object or `alg`, `kid` or
 * `typ` is not a string (`alg` missing is malformed too: RFC 7515 section 4.1.1); REASON_CRITICAL_HEADER when
 * it has `crit` or `b64`; REASON_INTERNAL_ERROR out of memory. On REASON_NONE the caller calls
 * compact_header_deinit; otherwise *out is untouched.
 */
reason_t compact_parse_header(const compact_t *compact, compact_header_t *out)
    __attribute__((warn_unused_result));
void compact_header_deinit(compact_header_t *header);

/* Decodes and parses the payload as the JSON object of RFC 7519 section 3. The caller releases *out with
 * json_decref. */
reason_t compact_parse_payload(const compact_t *compact, json_t **out) __attribute__((warn_unused_result));

#endif
