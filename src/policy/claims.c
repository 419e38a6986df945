#include "introspectd/claims.h"

#include "numeric_date.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void claims_rules_deinit(claims_rules_t *rules)
{
    free(rules->issuer);
    claim_path_free(rules->audience_claim);
    free_texts(rules->audiences, rules->audience_count);
    free_texts(rules->token_types, rules->token_type_count);
    for (size_t i = 0; i < rules->requirement_count; i++) {
        claim_path_free(rules->requirements[i].claim);
        free(rules->requirements[i].value);
    }
    free(rules->requirements);
    *rules = (claims_rules_t){0};
}

static slice_t string_slice(const json_t *string)
{
    return (slice_t){json_string_value(string), json_string_length(string)};
}

/* RFC 7515 section 4.1.9: "application/" may be left out only where no other slash follows. */
static slice_t without_application(slice_t typ)
{
    static const char prefix[] = "application/";
    const size_t prefix_len = sizeof(prefix) - 1;

    if (typ.len < prefix_len || strncasecmp(typ.base, prefix, prefix_len) != 0)
        return typ;
    slice_t rest = {typ.base + prefix_len, typ.len - prefix_len};
    return memchr(rest.base, '/', rest.len) == NULL ? rest : typ;
}

static reason_t check_type(const claims_rules_t *rules, slice_t typ)
{
    if (rules->token_type_count == 0)
        return REASON_NONE;
    if (typ.base == NULL)
        return REASON_WRONG_TYPE;
    slice_t type = without_application(typ);
    for (size_t i = 0; i < rules->token_type_count; i++) {
        slice_t wanted = slice_of(rules->token_types[i]);
        if (type.len == wanted.len && strncasecmp(type.base, wanted.base, wanted.len) == 0)
            return REASON_NONE;
    }
    return REASON_WRONG_TYPE;
}

typedef struct date_claim {
    bool is_present;
    bool is_valid;
    numeric_date_t date;
} date_claim_t;

static date_claim_t read_date(const json_t *payload, const char *name)
{
    const json_t *value = json_object_get(payload, name);
    date_claim_t claim = {.is_present = value != NULL};

    claim.is_valid = numeric_date_read(value, &claim.date);
    return claim;
}

static bool is_unusable(const date_claim_t *claim)
{
    return claim->is_present && !claim->is_valid;
}

/* Differences of times, never sums with the leeway: a date is bounded, so these cannot overflow. */
static reason_t check_times(const date_claim_t *exp, const date_claim_t *nbf, const date_claim_t *iat,
                            int64_t leeway_s, int64_t now_s)
{
    if (!exp->is_present)
        return REASON_MISSING_EXPIRY;
    if (!exp->is_valid)
        return REASON_INVALID_CLAIM;
    if (now_s - exp->date.ceil_s >= leeway_s)
        return REASON_EXPIRED;
    if (is_unusable(nbf))
        return REASON_INVALID_CLAIM;
    if (nbf->is_present && nbf->date.ceil_s - now_s > leeway_s)
        return REASON_NOT_YET_VALID;
    return is_unusable(iat) ? REASON_INVALID_CLAIM : REASON_NONE;
}

static reason_t check_issuer(const claims_rules_t *rules, const json_t *payload)
{
    const json_t *issuer = json_object_get(payload, "iss");

    if (!json_is_string(issuer) || !slice_equal(string_slice(issuer), slice_of(rules->issuer)))
        return REASON_WRONG_ISSUER;
    return REASON_NONE;
}

static bool is_our_audience(const claims_rules_t *rules, const json_t *audience)
{
    for (size_t i = 0; i < rules->audience_count; i++) {
        if (slice_equal(string_slice(audience), slice_of(rules->audiences[i])))
            return true;
    }
    return false;
}

static reason_t check_audience(const claims_rules_t *rules, const json_t *payload)
{
    if (rules->audience_is_any)
        return REASON_NONE;
    const json_t *claim = rules->audience_claim == NULL ? json_object_get(payload, "aud")
                                                        : claim_path_get(rules->audience_claim, payload);
    if (claim == NULL)
        return REASON_WRONG_AUDIENCE;
    if (json_is_string(claim))
        return is_our_audience(rules, claim) ? REASON_NONE : REASON_WRONG_AUDIENCE;
    if (!json_is_array(claim))
        return REASON_INVALID_CLAIM;

    bool is_ours = false;
    for (size_t i = 0; i < json_array_size(claim); i++) {
        const json_t *audience = json_array_get(claim, i);
        if (!json_is_string(audience))
            return REASON_INVALID_CLAIM;
        is_ours = is_ours || is_our_audience(rules, audience);
    }
    return is_ours ? REASON_NONE : REASON_WRONG_AUDIENCE;
}

static bool requirement_is_met(const claims_requirement_t *requirement, const json_t *payload)
{
    const json_t *claim = claim_path_get(requirement->claim, payload);
    char digits[24];

    if (json_is_string(claim))
        return slice_equal(string_slice(claim), slice_of(requirement->value));
    if (!requirement->matches_scalars)
        return false;
    if (json_is_boolean(claim))
        return strcmp(json_is_true(claim) ? "true" : "false", requirement->value) == 0;
    if (json_is_integer(claim)) {
        snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(claim));
        return strcmp(digits, requirement->value) == 0;
    }
    return false;
}

static reason_t check_requirements(const claims_rules_t *rules, const json_t *payload)
{
    for (size_t i = 0; i < rules->requirement_count; i++) {
        if (!requirement_is_met(&rules->requirements[i], payload))
            return REASON_CLAIM_MISMATCH;
    }
    return REASON_NONE;
}

reason_t claims_check(const claims_rules_t *rules, slice_t typ, const json_t *payload, int64_t now_s,
                      claims_times_t *times)
{
    const date_claim_t exp = read_date(payload, "exp");
    const date_claim_t nbf = read_date(payload, "nbf");
    const date_claim_t iat = read_date(payload, "iat");

    *times = (claims_times_t){
        .exp_s = exp.date.floor_s,
        .has_nbf = nbf.is_valid,
        .nbf_s = nbf.date.floor_s,
        .has_iat = iat.is_valid,
        .iat_s = iat.date.floor_s,
    };

    reason_t reason = check_type(rules, typ);
    if (reason == REASON_NONE)
        reason = check_times(&exp, &nbf, &iat, rules->leeway_s, now_s);
    if (reason == REASON_NONE)
        reason = check_issuer(rules, payload);
    if (reason == REASON_NONE)
        reason = check_audience(rules, payload);
    if (reason == REASON_NONE)
        reason = check_requirements(rules, payload);
    return reason;
}
