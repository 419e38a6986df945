/*
 * reason: why a token was refused. One closed list for logs, metrics, `explain` and `verify`.
 *
 * A reason never goes onto the wire: a caller learns active or not, nothing else (RFC 7662 section 2.2).
 */
#ifndef INTROSPECTD_REASON_H
#define INTROSPECTD_REASON_H

typedef enum reason {
    REASON_NONE,      /* nothing to refuse */
    REASON_TOO_LONG,  /* longer than limits.max_token */
    REASON_MALFORMED, /* not three strict base64url parts, or a part is not the JSON object that it must be */
    REASON_ENCRYPTED, /* five parts: a JWE */
    REASON_CRITICAL_HEADER,       /* `crit` or `b64` in the header: RFC 7515 section 4.1.11, RFC 7797 */
    REASON_ALGORITHM_NOT_ALLOWED, /* `alg` unknown, `none`, or not on the issuer's list: RFC 8725 section 3.1
                                   */
    REASON_UNKNOWN_KEY,           /* no key of the issuer has this `kid` and fits this `alg` */
    REASON_BAD_SIGNATURE,
    REASON_WRONG_ISSUER,     /* `iss` missing, not a string, or not an issuer of this client */
    REASON_WRONG_TYPE,       /* `typ` not among token_types */
    REASON_INVALID_CLAIM,    /* a claim that is checked has the wrong JSON type or is out of range */
    REASON_MISSING_EXPIRY,   /* no `exp` */
    REASON_EXPIRED,          /* now >= exp + leeway */
    REASON_NOT_YET_VALID,    /* now < nbf - leeway */
    REASON_WRONG_AUDIENCE,   /* none of the issuer's configured audiences */
    REASON_CLAIM_MISMATCH,   /* a claim under `require` is missing or has another value */
    REASON_MAPPING_MISSING,  /* verified, but a member that the profile requires has no value */
    REASON_KEYS_UNAVAILABLE, /* the issuer has no usable keys at all: not a verdict about the token */
    REASON_INTERNAL_ERROR,   /* out of memory or a failing library call: not a verdict about the token */
    REASON_COUNT
} reason_t;

/* The reason's name in snake_case ("bad_signature"), static. "none" for REASON_NONE and anything outside the
 * list. */
const char *reason_name(reason_t reason);

/* One sentence for people that says what the reason means, static. */
const char *reason_text(reason_t reason);

#endif
