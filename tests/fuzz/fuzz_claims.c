/* A payload whose signature was good: claims, mapping, answer. Input: a mapping source, a newline, a JSON
 * object. */
#include "fuzz.h"

#include "introspectd/claims.h"
#include "introspectd/json.h"
#include "introspectd/mapping.h"
#include "introspectd/profile.h"

static void check_claims(const json_t *payload)
{
    static char issuer[] = "i", audience[] = "a", type[] = "at+jwt";
    static char *audiences[] = {audience}, *types[] = {type};
    const claims_rules_t rules = {.issuer = issuer,
                                  .audiences = audiences,
                                  .audience_count = 1,
                                  .token_types = types,
                                  .token_type_count = 1,
                                  .leeway_s = 30};
    claims_times_t times = {0};
    reason_t reason = claims_check(&rules, slice_of("application/at+jwt"), payload, 1000000, &times);
    FUZZ_CHECK(reason > REASON_UNKNOWN_KEY || reason == REASON_NONE);
    if (reason == REASON_NONE) {
        FUZZ_CHECK(times.exp_s + 30 >= 1000000 && times.exp_s <= CLAIMS_MAX_DATE);
        FUZZ_CHECK(json_string_value(json_object_get(payload, "iss"))[0] == 'i');
    }
}

static void check_answer(slice_t source, const json_t *payload)
{
    mapping_t *mapping = mapping_new();
    json_t *answer = json_object();
    const char *error = NULL;
    if (mapping != NULL && answer != NULL && mapping_add(mapping, "member", true, &source, 1, &error) &&
        mapping_apply(mapping, payload, answer, NULL) == REASON_NONE) {
        json_t *member = json_object_get(answer, "member");
        FUZZ_CHECK(json_is_string(member));
        FUZZ_CHECK(json_string_length(member) > 0 && json_string_length(member) <= MAPPING_MAX_MEMBER_BYTES);
        FUZZ_CHECK(profile_add_standard_members(PROFILE_RFC7662, payload, answer));
    }
    json_decref(answer);
    mapping_free(mapping);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *newline = size == 0 ? NULL : memchr(text, '\n', size);
    if (newline == NULL)
        return 0;
    size_t source_len = (size_t)(newline - text);
    json_t *payload = json_parse_object((slice_t){newline + 1, size - source_len - 1});
    if (payload != NULL) {
        check_claims(payload);
        check_answer((slice_t){text, source_len}, payload);
        json_decref(payload);
    }
    return 0;
}
