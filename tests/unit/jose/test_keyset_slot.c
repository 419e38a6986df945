#include "introspectd/keyset_slot.h"

#include "introspectd/clock.h"

#include "fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { READERS = 3, CHANGES = 200, READS = 2000 };

static const char SET_A[] =
    "{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";
static const char SET_B[] =
    "{\"kty\":\"oct\",\"kid\":\"b\",\"k\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}";

static void count_call(void *data)
{
    atomic_uint *calls = data;
    atomic_fetch_add(calls, 1);
}

static keyset_slot_t *slot_with(const char *json)
{
    keyset_slot_t *slot = keyset_slot_new(json == NULL ? NULL : fixture_keyset(json, NULL), NULL, NULL);
    assert_non_null(slot);
    return slot;
}

static void an_empty_slot_has_no_set(void **state)
{
    (void)state;
    keyset_slot_t *slot = slot_with(NULL);
    assert_null(keyset_slot_acquire_keys(slot));
    keyset_slot_set_keys(slot, fixture_keyset(SET_A, NULL));
    keyset_t *keyset = keyset_slot_acquire_keys(slot);
    assert_non_null(keyset);
    keyset_release(keyset);
    keyset_slot_set_keys(slot, NULL);
    assert_null(keyset_slot_acquire_keys(slot));
    keyset_slot_release(slot);
    keyset_slot_release(NULL);
}

static void a_held_set_outlives_the_change_and_the_slot(void **state)
{
    (void)state;
    keyset_slot_t *slot = slot_with(SET_A);
    keyset_t *old = keyset_slot_acquire_keys(slot);
    keyset_slot_set_keys(slot, fixture_keyset(SET_B, NULL));
    keyset_t *new = keyset_slot_acquire_keys(slot);
    keyset_slot_release(slot);
    assert_true(slice_equal(jwk_kid(keyset_at(old, 0)), slice_of("a")));
    assert_true(slice_equal(jwk_kid(keyset_at(new, 0)), slice_of("b")));
    keyset_release(old);
    keyset_release(new);
}

static void the_last_holder_frees(void **state)
{
    (void)state;
    keyset_slot_t *slot = slot_with(SET_A);
    assert_int_equal(keyset_slot_holders(slot), 1);
    assert_ptr_equal(keyset_slot_acquire(slot), slot);
    assert_ptr_equal(keyset_slot_acquire(slot), slot);
    assert_int_equal(keyset_slot_holders(slot), 3);
    keyset_slot_release(slot);
    keyset_slot_release(slot);
    assert_int_equal(keyset_slot_holders(slot), 1);
    keyset_t *keyset = keyset_slot_acquire_keys(slot);
    assert_int_equal(keyset_slot_holders(slot), 1);
    assert_int_equal(keyset_size(keyset), 1);
    keyset_release(keyset);
    keyset_slot_release(slot);
}

static void each_change_of_the_keys_is_a_generation(void **state)
{
    (void)state;
    keyset_slot_t *slot = slot_with(SET_A);
    uint64_t last = keyset_slot_generation(slot);
    static const char *const SETS[] = {"{\"keys\":[]}", SET_B, SET_B, NULL, NULL, SET_A};
    for (size_t i = 0; i < sizeof(SETS) / sizeof(SETS[0]); i++) {
        keyset_slot_set_keys(slot, SETS[i] == NULL ? NULL : fixture_keyset(SETS[i], NULL));
        uint64_t now = keyset_slot_generation(slot);
        assert_true(now > last);
        last = now;
    }
    keyset_slot_want(slot);
    keyset_slot_set_outcome(slot, "a problem");
    keyset_slot_set_outcome(slot, NULL);
    assert_int_equal(keyset_slot_generation(slot), last);
    keyset_slot_release(slot);
}

static void a_wish_wakes_once_until_it_is_taken(void **state)
{
    (void)state;
    atomic_uint calls = 0;
    keyset_slot_t *slot = keyset_slot_new(NULL, count_call, &calls);
    assert_non_null(slot);
    assert_true(keyset_slot_is_fetched(slot));
    assert_false(keyset_slot_is_wanted(slot));
    for (unsigned round = 1; round <= 3; round++) {
        for (int i = 0; i < 5; i++)
            keyset_slot_want(slot);
        assert_int_equal(calls, round);
        assert_true(keyset_slot_is_wanted(slot));
        keyset_slot_take_want(slot);
        assert_false(keyset_slot_is_wanted(slot));
        assert_int_equal(calls, round);
    }
    keyset_slot_want(slot);
    keyset_slot_set_keys(slot, fixture_keyset(SET_A, NULL));
    assert_true(keyset_slot_is_wanted(slot));
    keyset_slot_release(slot);
    assert_int_equal(calls, 4);
}

static void nobody_is_woken_for_keys_that_nobody_fetches(void **state)
{
    (void)state;
    keyset_slot_t *slot = slot_with(SET_A);
    assert_false(keyset_slot_is_fetched(slot));
    keyset_slot_want(slot);
    assert_false(keyset_slot_is_wanted(slot));
    keyset_slot_release(slot);
}

static void the_status_follows_the_keys(void **state)
{
    (void)state;
    int64_t before_s = clock_now_s();
    keyset_slot_t *slot = slot_with(NULL);
    keyset_slot_status_t status;
    keyset_slot_get_status(slot, &status);
    assert_int_equal(status.key_count, 0);
    assert_string_equal(status.problem, "");
    assert_in_range(status.changed_s, before_s, clock_now_s());
    assert_in_range(status.refreshed_s, before_s, clock_now_s());

    before_s = clock_now_s();
    keyset_slot_set_keys(slot, fixture_keyset(SET_A, NULL));
    keyset_slot_set_outcome(slot, NULL);
    keyset_slot_get_status(slot, &status);
    assert_int_equal(status.key_count, 1);
    assert_in_range(status.changed_s, before_s, clock_now_s());
    assert_in_range(status.refreshed_s, before_s, clock_now_s());

    keyset_slot_set_keys(slot, NULL);
    keyset_slot_get_status(slot, &status);
    assert_int_equal(status.key_count, 0);
    keyset_slot_release(slot);
}

static void a_problem_stays_until_the_keys_are_current(void **state)
{
    (void)state;
    keyset_slot_t *slot = slot_with(SET_A);
    keyset_slot_status_t status;
    keyset_slot_get_status(slot, &status);
    const keyset_slot_status_t good = status;

    keyset_slot_set_outcome(slot, "the provider is down");
    keyset_slot_get_status(slot, &status);
    assert_string_equal(status.problem, "the provider is down");
    assert_int_equal(status.refreshed_s, good.refreshed_s);
    assert_int_equal(status.changed_s, good.changed_s);
    assert_int_equal(status.key_count, 1);

    char text[KEYSET_SLOT_PROBLEM_SIZE + 8];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    keyset_slot_set_outcome(slot, text);
    keyset_slot_get_status(slot, &status);
    assert_int_equal(strlen(status.problem), KEYSET_SLOT_PROBLEM_SIZE - 1);
    assert_memory_equal(status.problem, text, KEYSET_SLOT_PROBLEM_SIZE - 1);

    keyset_slot_set_outcome(slot, NULL);
    keyset_slot_get_status(slot, &status);
    assert_string_equal(status.problem, "");
    keyset_slot_release(slot);
}

static bool is_known(const keyset_t *keyset)
{
    slice_t kid = jwk_kid(keyset_at(keyset, 0));
    return slice_equal(kid, slice_of("a")) || slice_equal(kid, slice_of("b"));
}

/* Takes the slot; gives NULL when all was right. */
static void *read_often(void *data)
{
    keyset_slot_t *slot = data;
    const char *error = NULL;
    uint64_t last = 0;
    for (int i = 0; i < READS; i++) {
        uint64_t generation = keyset_slot_generation(slot);
        if (generation < last)
            error = "an older generation";
        last = generation;
        keyset_t *keyset = keyset_slot_acquire_keys(slot);
        if (!is_known(keyset))
            error = "an unknown set";
        keyset_release(keyset);
        keyset_slot_want(slot);
        keyset_slot_status_t status;
        keyset_slot_get_status(slot, &status);
        if (status.key_count != 1 || (status.problem[0] != '\0' && strcmp(status.problem, "p") != 0))
            error = "a wrong status";
    }
    keyset_slot_release(slot);
    return (void *)error;
}

static void readers_and_a_writer_meet(void **state)
{
    (void)state;
    atomic_uint calls = 0;
    keyset_slot_t *slot = keyset_slot_new(fixture_keyset(SET_A, NULL), count_call, &calls);
    assert_non_null(slot);
    pthread_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_often, keyset_slot_acquire(slot)), 0);
    for (int i = 0; i < CHANGES; i++) {
        keyset_slot_set_keys(slot, fixture_keyset(i % 2 == 0 ? SET_B : SET_A, NULL));
        keyset_slot_set_outcome(slot, i % 3 == 0 ? "p" : NULL);
    }
    for (int i = 0; i < READERS; i++) {
        void *error = NULL;
        assert_int_equal(pthread_join(readers[i], &error), 0);
        if (error != NULL)
            fail_msg("%s", (const char *)error);
    }
    assert_int_equal(calls, 1);
    assert_int_equal(keyset_slot_generation(slot), CHANGES);
    assert_int_equal(keyset_slot_holders(slot), 1);
    keyset_slot_release(slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_slot_has_no_set),
        cmocka_unit_test(a_held_set_outlives_the_change_and_the_slot),
        cmocka_unit_test(the_last_holder_frees),
        cmocka_unit_test(each_change_of_the_keys_is_a_generation),
        cmocka_unit_test(a_wish_wakes_once_until_it_is_taken),
        cmocka_unit_test(nobody_is_woken_for_keys_that_nobody_fetches),
        cmocka_unit_test(the_status_follows_the_keys),
        cmocka_unit_test(a_problem_stays_until_the_keys_are_current),
        cmocka_unit_test(readers_and_a_writer_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
