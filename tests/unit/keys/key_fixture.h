/*
 * key_fixture: JWK Sets, and settings to fetch them by.
 *
 * The material is that of RFC 7515 appendix A.3.
 */
#ifndef KEYS_KEY_FIXTURE_H
#define KEYS_KEY_FIXTURE_H

#include "introspectd/refresher.h"

#define EC_KEY(kid)                                                                                          \
    "{\"kty\":\"EC\",\"kid\":\"" kid "\",\"crv\":\"P-256\","                                                 \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                                 \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define SET_OF(keys) "{\"keys\":[" keys "]}"
#define SET_A SET_OF(EC_KEY("a"))
#define SET_AB SET_OF(EC_KEY("a") "," EC_KEY("b"))
#define SET_BA SET_OF(EC_KEY("b") "," EC_KEY("a"))

/* Of a set that is fetched from jwks_url, or discovered from the issuer when that is NULL. */
static inline key_source_settings_t settings_for(const char *issuer, const char *jwks_url)
{
    return (key_source_settings_t){
        .issuer = issuer,
        .jwks_url = jwks_url,
        .allow_http = true,
        .algorithms = 1u << ALGORITHM_ES256,
        .connect_timeout_s = 30,
        .fetch_timeout_s = 60,
        .max_bytes = 65536,
        .refresh_min_s = 60,
        .refresh_max_s = 3600,
        .cooldown_s = 30,
        .stale_max_s = 86400,
    };
}

/* Whether the slot's current set has a key with this kid. */
static inline bool has_kid(keyset_slot_t *slot, const char *kid)
{
    keyset_t *keyset = keyset_slot_acquire_keys(slot);
    bool is_there = keyset != NULL && keyset_find(keyset, slice_of(kid), ALGORITHM_ES256, NULL) != NULL;
    keyset_release(keyset);
    return is_there;
}

#endif
