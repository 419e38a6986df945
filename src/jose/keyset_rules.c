#include "keyset_internal.h"

#include "introspectd/json.h"

#include <stdlib.h>

static const char MIXED[] = "a symmetric key in a set with public keys: whoever may read the set could sign";
static const char AMBIGUOUS[] = "the kid stands for different keys of the same algorithm";
static const char REPEATED[] = "the same key again";

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

static void refuse_symmetric(keyset_t *keyset)
{
    for (size_t i = 0; i < keyset->size; i++) {
        if (keyset->keys[i].secret != NULL)
            keyset->keys[i].fault = MIXED;
    }
}

/* Among the keys from begin to end, which share a kid: those that fit algorithm must be one and the same key.
 */
static void check_algorithm(jwk_t *begin, const jwk_t *end, algorithm_t algorithm)
{
    jwk_t *first = NULL;
    bool is_ambiguous = false;
    for (jwk_t *jwk = begin; jwk < end; jwk++) {
        if (jwk->fault == MIXED || !jwk_fits(jwk, algorithm))
            continue;
        if (first == NULL)
            first = jwk;
        else
            is_ambiguous = is_ambiguous || !jwk_is_same_material(first, jwk);
    }
    for (jwk_t *jwk = begin; is_ambiguous && jwk < end; jwk++) {
        if (jwk->fault != MIXED && jwk_fits(jwk, algorithm))
            jwk->fault = AMBIGUOUS;
    }
}

/* What is left of one kid's keys is of one material an algorithm; the same key twice is of no use. */
static void refuse_repeated(jwk_t *begin, const jwk_t *end)
{
    const jwk_t *last = NULL;
    for (jwk_t *jwk = begin; jwk < end; jwk++) {
        if (jwk->fault != NULL)
            continue;
        if (last != NULL && jwk_equal(last, jwk))
            jwk->fault = REPEATED;
        else
            last = jwk;
    }
}

static void check_kids(keyset_t *keyset)
{
    jwk_t *end = keyset->keys + keyset->size;
    for (jwk_t *begin = keyset->keys, *next; begin < end; begin = next) {
        for (next = begin + 1; next < end && begin->kid.base != NULL && slice_equal(next->kid, begin->kid);)
            next++;
        for (unsigned a = 0; next > begin + 1 && a < ALGORITHM_COUNT; a++)
            check_algorithm(begin, next, (algorithm_t)a);
        refuse_repeated(begin, next);
    }
}

/* Whether a key that cannot be used was meant for signatures, as far as it says. */
static bool is_for_signatures(const json_t *text)
{
    algorithm_t algorithm;
    bool is_use_right =
        json_object_get(text, "use") == NULL || slice_equal(json_get_string(text, "use"), slice_of("sig"));
    return is_use_right && (json_object_get(text, "alg") == NULL ||
                            algorithm_from_name(json_get_string(text, "alg"), &algorithm));
}

static bool is_of_type(const jwk_t *jwk, slice_t type)
{
    slice_t description = slice_of(jwk->description);
    return type.base != NULL && type.len < description.len && description.base[type.len] == ' ' &&
           memcmp(description.base, type.base, type.len) == 0;
}

/* The keys that share kid and type with one that cannot be used: it may be the one that is meant. */
static void refuse_namesakes(keyset_t *keyset, const json_t *text)
{
    slice_t kid = json_get_string(text, "kid");
    if (kid.base == NULL || !is_for_signatures(text))
        return;
    for (size_t i = keyset_first_with_kid(keyset, kid);
         i < keyset->size && slice_equal(keyset->keys[i].kid, kid); i++) {
        jwk_t *jwk = &keyset->keys[i];
        if (jwk->fault == NULL && is_of_type(jwk, json_get_string(text, "kty")))
            jwk->fault = AMBIGUOUS;
    }
}

static bool check_unusable(keyset_t *keyset, const json_t *texts)
{
    bool *is_usable = calloc(json_array_size(texts) + 1, sizeof(*is_usable));
    if (is_usable == NULL)
        return false;
    for (size_t i = 0; i < keyset->size; i++)
        is_usable[keyset->keys[i].index] = true;
    for (size_t i = 0; i < json_array_size(texts); i++) {
        if (!is_usable[i])
            refuse_namesakes(keyset, json_array_get(texts, i));
    }
    free(is_usable);
    return true;
}

static void report(const keyset_reporter_t *reporter, const jwk_t *jwk)
{
    const keyset_note_t note = {.index = jwk->index, .kid = jwk->kid, .is_skipped = true, .text = jwk->fault};
    if (reporter->note != NULL)
        reporter->note(reporter->data, &note);
}

static void take_out(keyset_t *keyset, const keyset_reporter_t *reporter)
{
    size_t kept = 0;
    for (size_t i = 0; i < keyset->size; i++) {
        jwk_t *jwk = &keyset->keys[i];
        if (jwk->fault == NULL) {
            keyset->keys[kept++] = *jwk;
        } else {
            report(reporter, jwk);
            jwk_deinit(jwk);
        }
    }
    keyset->size = kept;
}

bool keyset_apply_rules(keyset_t *keyset, const json_t *texts, const keyset_reporter_t *reporter)
{
    if (has_public_key(texts))
        refuse_symmetric(keyset);
    check_kids(keyset);
    if (!check_unusable(keyset, texts))
        return false;
    take_out(keyset, reporter);
    return true;
}
