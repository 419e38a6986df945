#include "lru_whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"

/* What an entry and the smallest table may cost at most, beyond the bytes of the value. */
enum { ENTRY_MAX_COST = 128, SMALLEST_TABLE_MAX_COST = 64 };

/* Spread over the buckets as a digest would be. */
static digest_t key_of(uint64_t id)
{
    digest_t key;

    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        id = id * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        key.bytes[i] = (unsigned char)(id >> 56);
    }
    return key;
}

static bool put(lru_t *lru, uint64_t id, const char *text)
{
    digest_t key = key_of(id);
    lru_value_t value = {.not_after_s = (int64_t)id + 1000,
                         .generation = id + 2000,
                         .tag = (uint32_t)id + 3000,
                         .bytes = text,
                         .len = (uint32_t)strlen(text)};

    return lru_put(lru, &key, &value);
}

static bool put_len(lru_t *lru, uint64_t id, uint32_t len)
{
    digest_t key = key_of(id);
    char *bytes = calloc(len > 0 ? len : 1, 1);
    lru_value_t value = {.bytes = bytes, .len = len};
    bool kept;

    assert_non_null(bytes);
    kept = lru_put(lru, &key, &value);
    free(bytes);
    return kept;
}

static bool has(lru_t *lru, uint64_t id)
{
    digest_t key = key_of(id);
    lru_value_t value;

    return lru_get(lru, &key, &value);
}

static bool remove_id(lru_t *lru, uint64_t id)
{
    digest_t key = key_of(id);

    return lru_remove(lru, &key);
}

static lru_stats_t stats_of(const lru_t *lru)
{
    lru_stats_t stats;

    lru_get_stats(lru, &stats);
    return stats;
}

static lru_t *make(size_t max_bytes)
{
    lru_t *lru = lru_new(max_bytes);

    assert_non_null(lru);
    return lru;
}

static void assert_holds(lru_t *lru, uint64_t id, const char *text)
{
    digest_t key = key_of(id);
    lru_value_t value;

    assert_true(lru_get(lru, &key, &value));
    assert_int_equal(value.not_after_s, (int64_t)id + 1000);
    assert_int_equal(value.generation, id + 2000);
    assert_int_equal(value.tag, (uint32_t)id + 3000);
    assert_int_equal(value.len, strlen(text));
    assert_memory_equal(value.bytes, text, strlen(text));
}

static void an_empty_stripe_has_nothing(void **state)
{
    lru_t *lru = make(1 << 16);
    digest_t key = key_of(1);
    lru_value_t value = {.not_after_s = 5, .generation = 6, .tag = 7, .bytes = "x", .len = 1};

    (void)state;
    assert_false(lru_get(lru, &key, &value));
    assert_int_equal(value.not_after_s, 5);
    assert_int_equal(value.generation, 6);
    assert_int_equal(value.tag, 7);
    assert_int_equal(value.len, 1);
    assert_false(remove_id(lru, 1));
    assert_int_equal(stats_of(lru).entries, 0);
    assert_int_equal(stats_of(lru).bytes, 0);
    assert_int_equal(stats_of(lru).evictions, 0);
    lru_free(lru);
}

static void what_is_put_is_got(void **state)
{
    lru_t *lru = make(1 << 16);

    (void)state;
    assert_true(put(lru, 1, "one"));
    assert_true(put(lru, 2, ""));
    assert_true(put(lru, 3, "a longer value than the others"));
    assert_holds(lru, 2, "");
    assert_holds(lru, 1, "one");
    assert_holds(lru, 3, "a longer value than the others");
    assert_false(has(lru, 4));
    assert_int_equal(stats_of(lru).entries, 3);
    lru_free(lru);
}

static void a_value_is_copied(void **state)
{
    lru_t *lru = make(1 << 16);
    char text[] = "one";

    (void)state;
    assert_true(put(lru, 1, text));
    text[0] = 'X';
    assert_holds(lru, 1, "one");
    lru_free(lru);
}

static void put_replaces(void **state)
{
    lru_t *lru = make(1 << 16);
    uint64_t bytes;

    (void)state;
    assert_true(put(lru, 1, "one"));
    bytes = stats_of(lru).bytes;
    assert_true(put(lru, 1, "another value, and a longer one"));
    assert_holds(lru, 1, "another value, and a longer one");
    assert_int_equal(stats_of(lru).entries, 1);
    assert_true(put(lru, 1, "two"));
    assert_holds(lru, 1, "two");
    assert_int_equal(stats_of(lru).entries, 1);
    assert_int_equal(stats_of(lru).bytes, bytes);
    assert_int_equal(stats_of(lru).evictions, 0);
    lru_free(lru);
}

static void remove_takes_one_away(void **state)
{
    lru_t *lru = make(1 << 16);

    (void)state;
    for (uint64_t id = 0; id < 5; id++)
        assert_true(put(lru, id, "value"));
    assert_true(remove_id(lru, 0));
    assert_true(remove_id(lru, 4));
    assert_true(remove_id(lru, 2));
    assert_false(remove_id(lru, 2));
    assert_false(has(lru, 0));
    assert_holds(lru, 1, "value");
    assert_false(has(lru, 2));
    assert_holds(lru, 3, "value");
    assert_false(has(lru, 4));
    assert_int_equal(stats_of(lru).entries, 2);
    assert_int_equal(stats_of(lru).evictions, 0);
    lru_free(lru);
}

static void the_least_recent_goes_first(void **state)
{
    lru_t *lru = make(4096);
    uint64_t count = 0;

    (void)state;
    while (stats_of(lru).evictions == 0)
        assert_true(put_len(lru, count++, 100));
    assert_false(has(lru, 0));
    /* 1 and 2 are used again; the next to go are then 3 and 4. */
    assert_true(has(lru, 1));
    assert_true(put_len(lru, 2, 100));
    assert_true(put_len(lru, 1000, 100));
    assert_true(put_len(lru, 1001, 100));
    assert_int_equal(stats_of(lru).evictions, 3);
    assert_true(has(lru, 1));
    assert_true(has(lru, 2));
    assert_false(has(lru, 3));
    assert_false(has(lru, 4));
    assert_true(has(lru, 5));
    lru_free(lru);
}

static void a_value_over_the_bound_is_refused_and_pushes_nothing_out(void **state)
{
    lru_t *lru = make(4096);

    (void)state;
    assert_true(put(lru, 1, "one"));
    assert_true(put(lru, 2, "two"));
    assert_false(put_len(lru, 3, 4096));
    assert_false(put_len(lru, 3, UINT16_MAX));
    assert_false(has(lru, 3));
    assert_holds(lru, 1, "one");
    /* The older value of the key is gone as well: it is not what the caller now knows. */
    assert_false(put_len(lru, 2, 4096));
    assert_false(has(lru, 2));
    assert_holds(lru, 1, "one");
    assert_int_equal(stats_of(lru).entries, 1);
    assert_int_equal(stats_of(lru).evictions, 0);
    lru_free(lru);
}

static void the_largest_value_fits_alone(void **state)
{
    const uint32_t largest = 65536 - ENTRY_MAX_COST - SMALLEST_TABLE_MAX_COST;
    lru_t *lru = make(65536);
    uint64_t small = 0;

    (void)state;
    assert_true(put_len(lru, 1000, largest));
    assert_true(has(lru, 1000));
    /* A table that grew under many small entries is no reason to refuse it. */
    while (stats_of(lru).evictions < 10)
        assert_true(put_len(lru, small++, 0));
    assert_true(put_len(lru, 1000, largest));
    assert_true(has(lru, 1000));
    assert_int_equal(stats_of(lru).entries, 1);
    assert_true(stats_of(lru).bytes <= 65536);
    assert_true(put(lru, 1, "after it"));
    assert_holds(lru, 1, "after it");
    lru_free(lru);
}

static void small_entries_after_large_ones_use_the_room(void **state)
{
    lru_t *lru = make(1 << 20);

    (void)state;
    for (uint64_t id = 0; id < 600; id++)
        assert_true(put_len(lru, id, 4000));
    assert_true(stats_of(lru).entries < 300);
    for (uint64_t id = 10000; id < 30000; id++)
        assert_true(put_len(lru, id, 0));
    assert_true(stats_of(lru).entries >= (1 << 20) / ENTRY_MAX_COST);
    lru_free(lru);
}

static void without_room_nothing_is_kept(void **state)
{
    static const size_t bounds[] = {0, 1, 63, 64, 100};

    (void)state;
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        lru_t *lru = make(bounds[i]);

        assert_false(put(lru, 1, ""));
        assert_false(put(lru, 1, "one"));
        assert_false(has(lru, 1));
        assert_false(remove_id(lru, 1));
        assert_int_equal(stats_of(lru).entries, 0);
        assert_int_equal(stats_of(lru).bytes, 0);
        lru_free(lru);
    }
}

static void an_entry_costs_at_most_128_bytes_beyond_its_value(void **state)
{
    static const uint32_t lens[] = {0, 1, 8, 9, 16, 300, 1001};

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        lru_t *lru = make(SIZE_MAX);

        for (uint64_t count = 1; count <= 5000; count++) {
            assert_true(put_len(lru, count, lens[i]));
            if (count >= 4)
                assert_true(stats_of(lru).bytes <= count * (lens[i] + ENTRY_MAX_COST));
            assert_true(stats_of(lru).bytes >= count * (lens[i] + DIGEST_SIZE));
        }
        lru_free(lru);
    }
}

/* Keys that agree in the bytes that the table is indexed by. */
static void keys_of_one_bucket_are_told_apart(void **state)
{
    enum { KEYS = 300 };
    lru_t *lru = make(1 << 20);
    lru_value_t value;

    (void)state;
    for (uint32_t i = 0; i < KEYS; i++) {
        digest_t key = {{1, 2, 3}};
        memcpy(key.bytes + DIGEST_SIZE - sizeof i, &i, sizeof i);
        value = (lru_value_t){.tag = i, .bytes = (const char *)&i, .len = sizeof i};
        assert_true(lru_put(lru, &key, &value));
    }
    for (uint32_t i = 0; i < KEYS; i += 3) {
        digest_t key = {{1, 2, 3}};
        memcpy(key.bytes + DIGEST_SIZE - sizeof i, &i, sizeof i);
        assert_true(lru_remove(lru, &key));
    }
    for (uint32_t i = 0; i < KEYS; i++) {
        digest_t key = {{1, 2, 3}};
        memcpy(key.bytes + DIGEST_SIZE - sizeof i, &i, sizeof i);
        assert_int_equal(lru_get(lru, &key, &value), i % 3 != 0);
        if (i % 3 != 0) {
            assert_int_equal(value.tag, i);
            assert_memory_equal(value.bytes, &i, sizeof i);
        }
    }
    lru_free(lru);
}

static void a_failed_allocation_leaves_the_key_absent(void **state)
{
    unsigned failures = 0;
    lru_t *lru;

    (void)state;
    failing_alloc_arm(0);
    lru = lru_new(1 << 20);
    assert_true(failing_alloc_disarm());
    assert_null(lru);

    lru = make(1 << 20);
    for (uint64_t id = 0; id < 500; id++) {
        for (unsigned passing = 0;; passing++) {
            uint64_t before = stats_of(lru).entries;
            bool kept;

            failing_alloc_arm(passing);
            kept = put(lru, id, "value");
            if (!failing_alloc_disarm()) {
                assert_true(kept);
                break;
            }
            failures++;
            assert_false(kept);
            assert_false(has(lru, id));
            assert_int_equal(stats_of(lru).entries, before);
        }
        assert_holds(lru, id, "value");
    }
    /* Each entry's own, and the growth of the table on the way to 512. */
    assert_int_equal(failures, 500 + 7);

    failing_alloc_arm(0);
    assert_false(put(lru, 7, "newer"));
    assert_true(failing_alloc_disarm());
    assert_false(has(lru, 7));
    assert_int_equal(stats_of(lru).entries, 499);
    for (uint64_t id = 0; id < 500; id++)
        assert_int_equal(has(lru, id), id != 7);
    lru_free(lru);
}

static void finding_moves_nothing_and_using_does(void **state)
{
    lru_t *lru = make(4096);
    digest_t first = key_of(0), second = key_of(1), absent = key_of(999);
    lru_value_t value = {.tag = 7};
    uint64_t count = 0;

    (void)state;
    assert_null(lru_find(lru, &absent, &value));
    assert_int_equal(value.tag, 7);
    while (stats_of(lru).evictions == 0) {
        assert_true(lru_find(lru, &first, &value) != NULL || count == 0);
        assert_true(put_len(lru, count++, 100));
    }
    assert_null(lru_find(lru, &first, &value));
    lru_use(lru, lru_find(lru, &second, &value), 50);
    assert_int_equal(value.used_s, 0);
    assert_true(put_len(lru, 1000, 100));
    assert_non_null(lru_find(lru, &second, &value));
    assert_int_equal(value.used_s, 50);
    assert_false(has(lru, 2));
    lru_free(lru);
}

static void what_comes_after_a_use_has_its_mark(void **state)
{
    lru_t *lru = make(1 << 16);
    digest_t key = key_of(1);
    lru_value_t value;

    (void)state;
    assert_true(put(lru, 1, "one"));
    assert_true(put(lru, 2, "two"));
    lru_use(lru, lru_find(lru, &key, &value), UINT32_MAX);
    assert_true(put(lru, 3, "three"));
    key = key_of(3);
    assert_non_null(lru_find(lru, &key, &value));
    assert_int_equal(value.used_s, UINT32_MAX);
    key = key_of(2);
    assert_non_null(lru_find(lru, &key, &value));
    assert_int_equal(value.used_s, 0);
    lru_free(lru);
}

static void what_leaves_is_handed_over(void **state)
{
    lru_t *lru = make(2048);
    lru_value_t value = {.bytes = "value", .len = 5};
    digest_t key = key_of(1);
    lru_entry_t *gone = NULL;
    uint64_t count = 0;

    (void)state;
    assert_false(lru_remove_entry(lru, &key, &gone));
    assert_null(gone);
    assert_true(lru_put_entry(lru, lru_entry_new(lru, &key, &value), &gone));
    assert_null(gone);
    assert_true(lru_put_entry(lru, lru_entry_new(lru, &key, &value), &gone));
    assert_non_null(gone);
    assert_true(lru_remove_entry(lru, &key, &gone));
    assert_int_equal(stats_of(lru).entries, 0);
    lru_entries_free(gone);

    for (gone = NULL; gone == NULL;) {
        key = key_of(count++);
        assert_true(lru_put_entry(lru, lru_entry_new(lru, &key, &value), &gone));
    }
    assert_int_equal(stats_of(lru).evictions, 1);
    lru_entries_free(gone);
    lru_entries_free(NULL);
    lru_free(lru);
}

static void free_of_null_is_legal(void **state)
{
    (void)state;
    lru_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_stripe_has_nothing),
        cmocka_unit_test(what_is_put_is_got),
        cmocka_unit_test(a_value_is_copied),
        cmocka_unit_test(put_replaces),
        cmocka_unit_test(remove_takes_one_away),
        cmocka_unit_test(the_least_recent_goes_first),
        cmocka_unit_test(a_value_over_the_bound_is_refused_and_pushes_nothing_out),
        cmocka_unit_test(the_largest_value_fits_alone),
        cmocka_unit_test(small_entries_after_large_ones_use_the_room),
        cmocka_unit_test(without_room_nothing_is_kept),
        cmocka_unit_test(an_entry_costs_at_most_128_bytes_beyond_its_value),
        cmocka_unit_test(keys_of_one_bucket_are_told_apart),
        cmocka_unit_test(a_failed_allocation_leaves_the_key_absent),
        cmocka_unit_test(finding_moves_nothing_and_using_does),
        cmocka_unit_test(what_comes_after_a_use_has_its_mark),
        cmocka_unit_test(what_leaves_is_handed_over),
        cmocka_unit_test(free_of_null_is_legal),
    };

    return cmocka_run_group_tests_name("lru", tests, NULL, NULL);
}
