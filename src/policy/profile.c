#include "introspectd/profile.h"

#include "numeric_date.h"

enum { REQUIRED_MAX = 2, PROFILE_COUNT = PROFILE_RFC7662 + 1 };

typedef struct profile_facts {
    const char *name;
    int inactive_status;
    const char *required[REQUIRED_MAX];
} profile_facts_t;

static const profile_facts_t facts[PROFILE_COUNT] = {
    [PROFILE_FRONT_PRIVATE] = {"front_private", 401, {"front_channel_name", "front_channel_address"}},
    [PROFILE_FRONT_SHARED] = {"front_shared", 401, {"resource_owner_id", "resource_owner_name"}},
    [PROFILE_RFC7662] = {"rfc7662", 200, {NULL, NULL}},
};

bool profile_from_name(slice_t name, profile_t *out)
{
    for (int i = 0; i < PROFILE_COUNT; i++) {
        if (slice_equal(name, slice_of(facts[i].name))) {
            *out = (profile_t)i;
            return true;
        }
    }
    return false;
}

const char *profile_name(profile_t profile)
{
    return facts[profile].name;
}

int profile_inactive_status(profile_t profile)
{
    return facts[profile].inactive_status;
}

const char *profile_required_member(profile_t profile, size_t i)
{
    return i < REQUIRED_MAX ? facts[profile].required[i] : NULL;
}

static bool requires_member(profile_t profile, const char *member)
{
    const char *required;

    for (size_t i = 0; (required = profile_required_member(profile, i)) != NULL; i++) {
        if (strcmp(required, member) == 0)
            return true;
    }
    return false;
}

bool profile_allows_member(profile_t profile, const char *member)
{
    if (strcmp(member, "active") == 0)
        return false;
    if (profile == PROFILE_FRONT_PRIVATE)
        return !requires_member(PROFILE_FRONT_SHARED, member);
    if (profile == PROFILE_FRONT_SHARED)
        return !requires_member(PROFILE_FRONT_PRIVATE, member);
    return true;
}

typedef enum member_kind { KIND_STRING, KIND_DATE, KIND_STRINGS } member_kind_t;

/* RFC 7662 section 2.2. */
static const struct standard_member {
    const char *name;
    member_kind_t kind;
} standard_members[] = {
    {"scope", KIND_STRING},      {"client_id", KIND_STRING}, {"username", KIND_STRING},
    {"token_type", KIND_STRING}, {"exp", KIND_DATE},         {"iat", KIND_DATE},
    {"nbf", KIND_DATE},          {"sub", KIND_STRING},       {"aud", KIND_STRINGS},
    {"iss", KIND_STRING},        {"jti", KIND_STRING},
};

static bool is_strings(const json_t *value)
{
    if (!json_is_array(value))
        return json_is_string(value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (!json_is_string(json_array_get(value, i)))
            return false;
    }
    return true;
}

static bool add_date(json_t *answer, const char *name, const json_t *value)
{
    numeric_date_t date;

    if (!numeric_date_read(value, &date))
        return true;
    return json_object_set_new_nocheck(answer, name, json_integer(date.floor_s)) == 0;
}

bool profile_add_standard_members(profile_t profile, const json_t *payload, json_t *answer)
{
    if (profile != PROFILE_RFC7662)
        return true;
    for (size_t i = 0; i < sizeof(standard_members) / sizeof(standard_members[0]); i++) {
        const struct standard_member *member = &standard_members[i];
        json_t *value = json_object_get(payload, member->name);
        bool is_kept = true;
        if (member->kind == KIND_DATE)
            is_kept = add_date(answer, member->name, value);
        else if (member->kind == KIND_STRING ? json_is_string(value) : is_strings(value))
            is_kept = json_object_set_nocheck(answer, member->name, value) == 0;
        if (!is_kept)
            return false;
    }
    return true;
}
