#include "introspectd/reason.h"

typedef struct reason_info {
    const char *name;
    const char *text;
} reason_info_t;

static const reason_info_t REASONS[REASON_COUNT] = {
    [REASON_NONE] = {"none", "There is nothing to refuse."},
    [REASON_TOO_LONG] = {"too_long", "The token is longer than the limit."},
    [REASON_MALFORMED] = {"malformed",
                          "The token is not a JWS in compact serialization: three parts of strict "
                          "base64url, the first of them a JSON object."},
    [REASON_ENCRYPTED] = {"encrypted", "The token has five parts: it is encrypted (JWE), not only signed."},
    [REASON_CRITICAL_HEADER] = {"critical_header",
                                "The header demands an extension (`crit` or `b64`) that is not supported."},
    [REASON_ALGORITHM_NOT_ALLOWED] = {"algorithm_not_allowed",
                                      "The token's `alg` is unknown, `none`, or not on the list of allowed "
                                      "algorithms."},
    [REASON_UNKNOWN_KEY] = {"unknown_key", "No usable key has the token's `kid` and fits its `alg`."},
    [REASON_BAD_SIGNATURE] = {"bad_signature", "The signature is not that of the key over this token."},
    [REASON_WRONG_ISSUER] = {"wrong_issuer", "`iss` is missing, not a string, or not an accepted issuer."},
    [REASON_WRONG_TYPE] = {"wrong_type", "The header's `typ` is not among the accepted token types."},
    [REASON_INVALID_CLAIM] = {"invalid_claim",
                              "A claim that is checked has the wrong JSON type or is out of range."},
    [REASON_MISSING_EXPIRY] = {"missing_expiry", "The token has no `exp`."},
    [REASON_EXPIRED] = {"expired", "The token has expired (`exp`)."},
    [REASON_NOT_YET_VALID] = {"not_yet_valid", "The token is not valid yet (`nbf`)."},
    [REASON_WRONG_AUDIENCE] = {"wrong_audience", "The token is meant for another audience."},
    [REASON_CLAIM_MISMATCH] = {"claim_mismatch", "A required claim is missing or has another value."},
    [REASON_MAPPING_MISSING] = {"mapping_missing",
                                "The token is valid, but a required response member has no value in it."},
    [REASON_KEYS_UNAVAILABLE] = {"keys_unavailable",
                                 "The issuer's keys are not available; nothing is known about the token."},
    [REASON_INTERNAL_ERROR] = {"internal_error",
                               "Memory or a library call failed; nothing is known about the token."},
};

static const reason_info_t *info_of(reason_t reason)
{
    return (unsigned)reason < REASON_COUNT ? &REASONS[reason] : &REASONS[REASON_NONE];
}

const char *reason_name(reason_t reason)
{
    return info_of(reason)->name;
}

const char *reason_text(reason_t reason)
{
    return info_of(reason)->text;
}
