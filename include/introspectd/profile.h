/*
 * profile: the kinds of answer: Front's private credentials, Front's shared credentials, RFC 7662.
 *
 * Sources: Front's "Token introspection for channel identification"; RFC 7662 section 2.2. All data is
 * static; any thread.
 */
#ifndef INTROSPECTD_PROFILE_H
#define INTROSPECTD_PROFILE_H

#include "introspectd/slice.h"

#include <jansson.h>

typedef enum profile { PROFILE_FRONT_PRIVATE, PROFILE_FRONT_SHARED, PROFILE_RFC7662 } profile_t;

/* From "front_private", "front_shared", "rfc7662"; false when it is none of them. */
bool profile_from_name(slice_t name, profile_t *out) __attribute__((warn_unused_result));
const char *profile_name(profile_t profile);

/* The HTTP status of an inactive token: 401 for Front's profiles, 200 for rfc7662 (RFC 7662 section 2.2). */
int profile_inactive_status(profile_t profile);

/* The i-th member that an answer must have, NULL past the last. */
const char *profile_required_member(profile_t profile, size_t i);

/* Whether a config may add this member: not `active`, and for a Front profile not what the other Front
 * profile answers. */
bool profile_allows_member(profile_t profile, const char *member);

/*
 * Sets in answer the members that the profile takes from the token by itself: for rfc7662 those of RFC 7662
 * section 2.2 that the token has with the JSON type that they must have there (scope, client_id, username,
 * token_type, exp, iat, nbf, sub, aud, iss, jti); for Front's profiles none. False out of memory.
 */
bool profile_add_standard_members(profile_t profile, const json_t *payload, json_t *answer)
    __attribute__((warn_unused_result));

#endif
