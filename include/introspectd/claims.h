/*
 * claims: is a token, whose signature is good, good for us now?
 *
 * RFC 7519 section 4.1, RFC 8725 sections 3.8 to 3.11, RFC 9068 section 2.1. Rules are built with the config
 * and immutable then; any thread may check.
 */
#ifndef INTROSPECTD_CLAIMS_H
#define INTROSPECTD_CLAIMS_H

#include "introspectd/claim_path.h"
#include "introspectd/reason.h"

#include <stdint.h>

/* The largest NumericDate that is in range: the last second of the year 9999. */
#define CLAIMS_MAX_DATE INT64_C(253402300799)

/* A claim that must have a value. */
typedef struct claims_requirement {
    claim_path_t *claim;  /* owned */
    char *value;          /* owned; the string that the claim must be */
    bool matches_scalars; /* the config's value was plain: an integer or boolean claim that reads the same
                             matches too */
} claims_requirement_t;

/* What a token of one issuer must say. Everything is owned; zero-initialised is legal for
 * claims_rules_deinit. */
typedef struct claims_rules {
    char *issuer;
    bool audience_is_any;         /* the check is off */
    claim_path_t *audience_claim; /* NULL: `aud` */
    char **audiences;
    size_t audience_count;
    char **token_types; /* without "application/" */
    size_t token_type_count;
    claims_requirement_t *requirements;
    size_t requirement_count;
    int64_t leeway_s;
} claims_rules_t;

void claims_rules_deinit(claims_rules_t *rules);

/* The token's times in whole seconds, rounded down. */
typedef struct claims_times {
    int64_t exp_s;
    bool has_nbf;
    int64_t nbf_s;
    bool has_iat;
    int64_t iat_s;
} claims_times_t;

/*
 * Checks typ (the header's, absent if it has none) and payload against rules at now_s, in the order type,
 * exp, nbf, iat, issuer, audience, requirements, and gives the first reason. exp is required; now >= exp +
 * leeway is expired, now < nbf - leeway not yet valid; fractions are legal; a NumericDate that is no number
 * or outside 0..CLAIMS_MAX_DATE is REASON_INVALID_CLAIM. typ compares without case and without "application/"
 * (RFC 7515 section 4.1.9). The audience claim is a string or an array of strings. *times is filled as far as
 * the claims were readable, also on refusal.
 */
reason_t claims_check(const claims_rules_t *rules, slice_t typ, const json_t *payload, int64_t now_s,
                      claims_times_t *times) __attribute__((warn_unused_result));

#endif
