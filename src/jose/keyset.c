#include "introspectd/keyset.h"

#include "introspectd/json.h"

#include "evp_key.h"
#include "keyset_internal.h"

#include <stdlib.h>

#include <openssl/err.h>

static void report(const keyset_reporter_t *reporter, const json_t *json, size_t index, bool is_skipped,
                   const char *text)
{
    if (reporter->note == NULL)
        return;
    keyset_note_t note = {
        .index = index,
        .kid = json_get_string(json, "kid"),
        .is_skipped = is_skipped,
        .text = text,
    };
    reporter->note(reporter->data, &note);
}

static bool reserve(keyset_t *keyset)
{
    if (keyset->size < keyset->capacity)
        return true;
    size_t capacity = keyset->capacity == 0 ? 4 : keyset->capacity * 2;
    if (capacity > SIZE_MAX / sizeof(jwk_t))
        return false;
    jwk_t *keys = realloc(keyset->keys, capacity * sizeof(jwk_t));
    if (keys == NULL)
        return false;
    keyset->keys = keys;
    keyset->capacity = capacity;
    return true;
}

/* False only when memory cannot be had. */
static bool add(keyset_t *keyset, json_t *json, size_t index, const keyset_reporter_t *reporter)
{
    if (!reserve(keyset))
        return false;
    unsigned warnings = 0;
    jwk_t *jwk = &keyset->keys[keyset->size];
    const char *error = jwk_load(json, JWK_TO_VERIFY, jwk, &warnings);
    /* OpenSSL often does not tell a bad key from memory that ran out. */
    if (error != NULL && error != JWK_OUT_OF_MEMORY)
        error = evp_has_memory() ? jwk_load(json, JWK_TO_VERIFY, jwk, &warnings) : JWK_OUT_OF_MEMORY;
    if (error == JWK_OUT_OF_MEMORY)
        return false;
    jwk_cleanse_json(json);
    if (error != NULL) {
        report(reporter, json, index, true, error);
        return true;
    }
    jwk->index = index;
    keyset->size++;
    if ((warnings & JWK_WARNING_PRIVATE) != 0)
        report(reporter, json, index, false, "a private key is published; only its public half is used");
    if ((warnings & JWK_WARNING_SMALL_EXPONENT) != 0)
        report(reporter, json, index, false, "RSA exponent under 65537");
    return true;
}

static bool add_all(keyset_t *keyset, json_t *json, const keyset_reporter_t *reporter)
{
    json_t *keys = json_object_get(json, "keys");
    if (keys == NULL)
        return add(keyset, json, 0, reporter);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        if (!add(keyset, json_array_get(keys, i), i, reporter))
            return false;
    }
    return true;
}

/* An absent kid stands before the empty one. */
static int compare_kids(slice_t a, slice_t b)
{
    if (a.base == NULL || b.base == NULL)
        return (a.base != NULL) - (b.base != NULL);
    size_t shorter = a.len < b.len ? a.len : b.len;
    int order = memcmp(a.base, b.base, shorter);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_keys(const void *a, const void *b)
{
    const jwk_t *left = a;
    const jwk_t *right = b;
    int order = compare_kids(left->kid, right->kid);
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

/* keys may be NULL. */
static bool has_public_key(const json_t *keys)
{
    for (size_t i = 0; i < json_array_size(keys); i++) {
        slice_t type = json_get_string(json_array_get(keys, i), "kty");
        if (type.base != NULL && !slice_equal(type, slice_of("oct")))
            return true;
    }
    return false;
}

keyset_t *keyset_parse(slice_t text, keyset_note_cb *note, void *note_data, const char **error)
{
    json_t *json = json_parse_object(text);
    const json_t *keys = json_object_get(json, "keys");
    if (json == NULL || (keys == NULL ? json_object_get(json, "kty") == NULL : !json_is_array(keys))) {
        *error = json_ran_out_of_memory() ? JWK_OUT_OF_MEMORY
                 : json == NULL ? "not a JSON object (or members are repeated, or it is nested too deeply)"
                 : keys == NULL ? "neither a JWK Set nor a JWK: it has no `keys` and no `kty`"
                                : "`keys` is not an array";
        json_decref(json);
        return NULL;
    }
    keyset_t *keyset = calloc(1, sizeof(*keyset));
    if (keyset != NULL)
        atomic_init(&keyset->holders, 1);
    const keyset_reporter_t reporter = {note, note_data};
    if (keyset == NULL || !add_all(keyset, json, &reporter)) {
        keyset_release(keyset);
        keyset = NULL;
        *error = JWK_OUT_OF_MEMORY;
    } else if (keyset->size > 0) {
        qsort(keyset->keys, keyset->size, sizeof(jwk_t), compare_keys);
        keyset_apply_rules(keyset, has_public_key(keys), &reporter);
    }
    json_decref(json);
    /* What failed on the way to a good set too, or a TLS connection of this thread would take it for its own.
     */
    ERR_clear_error();
    return keyset;
}

keyset_t *keyset_acquire(keyset_t *keyset)
{
    atomic_fetch_add_explicit(&keyset->holders, 1, memory_order_relaxed);
    return keyset;
}

void keyset_release(keyset_t *keyset)
{
    /* Every holder's reads come before the free. */
    if (keyset == NULL || atomic_fetch_sub_explicit(&keyset->holders, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < keyset->size; i++)
        jwk_deinit(&keyset->keys[i]);
    free(keyset->keys);
    free(keyset);
}

size_t keyset_size(const keyset_t *keyset)
{
    return keyset->size;
}

const jwk_t *keyset_at(const keyset_t *keyset, size_t i)
{
    return &keyset->keys[i];
}

static size_t first_with_kid(const keyset_t *keyset, slice_t kid)
{
    size_t low = 0;
    size_t high = keyset->size;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_kids(keyset->keys[middle].kid, kid) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const jwk_t *keyset_find(const keyset_t *keyset, slice_t kid, algorithm_t algorithm, const jwk_t *after)
{
    size_t i = 0;
    if (after != NULL)
        i = (size_t)(after - keyset->keys) + 1;
    else if (kid.base != NULL)
        i = first_with_kid(keyset, kid);
    for (; i < keyset->size; i++) {
        const jwk_t *jwk = &keyset->keys[i];
        if (kid.base != NULL && !slice_equal(jwk->kid, kid))
            return NULL;
        if (jwk_fits(jwk, algorithm))
            return jwk;
    }
    return NULL;
}

bool keyset_is_usable(const keyset_t *keyset, algorithm_set_t allowed)
{
    for (size_t i = 0; i < keyset->size; i++) {
        if ((keyset->keys[i].fits & allowed) != 0)
            return true;
    }
    return false;
}

bool keyset_equal(const keyset_t *a, const keyset_t *b)
{
    if (a->size != b->size)
        return false;
    for (size_t i = 0; i < a->size; i++) {
        if (!jwk_equal(&a->keys[i], &b->keys[i]))
            return false;
    }
    return true;
}
