#include "introspectd/keyset.h"

#include "fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { READERS = 3, SWAPS = 200, READS = 2000 };

static const char SET_A[] =
    "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";
static const char SET_B[] =
    "{\"kty\":\"oct\",\"kid\":\"b\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";

static void an_empty_slot_has_no_set(void **state)
{
    (void)state;
    keyset_slot_t *slot = keyset_slot_new(NULL);
    assert_non_null(slot);
    assert_null(keyset_slot_acquire(slot));
    keyset_slot_swap(slot, fixture_keyset(SET_A, NULL));
    keyset_t *keyset = keyset_slot_acquire(slot);
    assert_non_null(keyset);
    keyset_release(keyset);
    keyset_slot_swap(slot, NULL);
    assert_null(keyset_slot_acquire(slot));
    keyset_slot_free(slot);
    keyset_slot_free(NULL);
}

static void a_held_set_outlives_the_swap_and_the_slot(void **state)
{
    (void)state;
    keyset_slot_t *slot = keyset_slot_new(fixture_keyset(SET_A, NULL));
    keyset_t *old = keyset_slot_acquire(slot);
    keyset_slot_swap(slot, fixture_keyset(SET_B, NULL));
    keyset_t *new = keyset_slot_acquire(slot);
    keyset_slot_free(slot);
    assert_true(slice_equal(jwk_kid(keyset_at(old, 0)), slice_of("a")));
    assert_true(slice_equal(jwk_kid(keyset_at(new, 0)), slice_of("b")));
    keyset_release(old);
    keyset_release(new);
}

static void *read_often(void *data)
{
    keyset_slot_t *slot = data;
    for (int i = 0; i < READS; i++) {
        keyset_t *keyset = keyset_slot_acquire(slot);
        slice_t kid = jwk_kid(keyset_at(keyset, 0));
        bool is_known = slice_equal(kid, slice_of("a")) || slice_equal(kid, slice_of("b"));
        keyset_release(keyset);
        if (!is_known)
            return slot;
    }
    return NULL;
}

static void readers_and_a_writer_meet(void **state)
{
    (void)state;
    keyset_slot_t *slot = keyset_slot_new(fixture_keyset(SET_A, NULL));
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_often, slot), 0);
    for (int i = 0; i < SWAPS; i++)
        keyset_slot_swap(slot, fixture_keyset(i % 2 == 0 ? SET_B : SET_A, NULL));
    for (int i = 0; i < READERS; i++) {
        void *result = slot;
        assert_int_equal(pthread_join(readers[i], &result), 0);
        assert_null(result);
    }
    keyset_slot_free(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_slot_has_no_set),
        cmocka_unit_test(a_held_set_outlives_the_swap_and_the_slot),
        cmocka_unit_test(readers_and_a_writer_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
