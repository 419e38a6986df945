#include "keyset_internal.h"

static const char MIXED[] = "a symmetric key in a set with public keys: whoever may read the set could sign";
static const char AMBIGUOUS[] = "the kid stands for different keys of the same algorithm";
static const char REPEATED[] = "the same key again";

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

void keyset_apply_rules(keyset_t *keyset, bool has_public, const keyset_reporter_t *reporter)
{
    if (has_public)
        refuse_symmetric(keyset);
    check_kids(keyset);
    take_out(keyset, reporter);
}
