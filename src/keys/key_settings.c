#include "key_settings.h"

#include <stdlib.h>

static bool copy_text(const char *from, const char **copy)
{
    *copy = from == NULL ? NULL : strdup(from);
    return from == NULL || *copy != NULL;
}

bool key_settings_copy(const key_source_settings_t *from, key_source_settings_t *copy)
{
    key_source_settings_t made = *from;
    made.issuer = made.jwks_url = made.ca_file = NULL;
    if (!copy_text(from->issuer, &made.issuer) || !copy_text(from->jwks_url, &made.jwks_url) ||
        !copy_text(from->ca_file, &made.ca_file)) {
        key_settings_deinit(&made);
        return false;
    }
    *copy = made;
    return true;
}

void key_settings_deinit(key_source_settings_t *copy)
{
    free((char *)copy->issuer);
    free((char *)copy->jwks_url);
    free((char *)copy->ca_file);
}

static bool is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool key_settings_same_place(const key_source_settings_t *a, const key_source_settings_t *b)
{
    return is_same_text(a->issuer, b->issuer) && is_same_text(a->jwks_url, b->jwks_url) &&
           a->allow_http == b->allow_http && is_same_text(a->ca_file, b->ca_file);
}

bool key_settings_equal(const key_source_settings_t *a, const key_source_settings_t *b)
{
    return key_settings_same_place(a, b) && a->algorithms == b->algorithms &&
           a->connect_timeout_s == b->connect_timeout_s && a->fetch_timeout_s == b->fetch_timeout_s &&
           a->max_bytes == b->max_bytes && a->refresh_min_s == b->refresh_min_s &&
           a->refresh_max_s == b->refresh_max_s && a->cooldown_s == b->cooldown_s &&
           a->stale_max_s == b->stale_max_s;
}
