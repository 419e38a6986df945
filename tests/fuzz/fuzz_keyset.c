/* A JWK Set as an issuer, or whoever stands in its place, publishes it. */
#include "fuzz.h"

#include "introspectd/keyset.h"
#include "introspectd/verify.h"

static void count_note(void *data, const keyset_note_t *note)
{
    FUZZ_CHECK(note->text != NULL);
    ++*(size_t *)data;
}

/* Every algorithm finds only keys that fit it, and each of them can be used on a signature that is none. */
static void use_keys(const keyset_t *keyset, verifier_t *verifier)
{
    for (int i = 0; i < ALGORITHM_COUNT; i++) {
        algorithm_t algorithm = (algorithm_t)i;
        size_t found = 0;
        for (const jwk_t *jwk = keyset_find(keyset, (slice_t){NULL, 0}, algorithm, NULL); jwk != NULL;
             jwk = keyset_find(keyset, (slice_t){NULL, 0}, algorithm, jwk)) {
            FUZZ_CHECK(jwk_fits(jwk, algorithm));
            FUZZ_CHECK(verify_signature(verifier, jwk, algorithm, slice_of("x.y"),
                                        slice_of("no signature")) != REASON_NONE);
            FUZZ_CHECK(++found <= keyset_size(keyset));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static verifier_t *verifier;
    if (verifier == NULL && (verifier = verifier_new()) == NULL)
        return 0;
    size_t notes = 0;
    const char *error = NULL;
    keyset_t *keyset = keyset_parse((slice_t){(const char *)data, size}, count_note, &notes, &error);
    if (keyset == NULL) {
        FUZZ_CHECK(error != NULL);
        return 0;
    }
    for (size_t i = 0; i < keyset_size(keyset); i++)
        FUZZ_CHECK(jwk_describe(keyset_at(keyset, i)) != NULL);
    use_keys(keyset, verifier);
    keyset_release(keyset);
    return 0;
}
