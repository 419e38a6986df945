#include "introspectd/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "failing_alloc.h"

static const size_t kib = 1024;
static const size_t roomy = 1048576;

/* Spread over stripes and buckets as a digest would be. */
static digest_t key_of(uint64_t id)
{
    digest_t key;

    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        id = id * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        key.bytes[i] = (unsigned char)(id >> 56);
    }
    return key;
}

static cache_t *make(size_t max_bytes, unsigned stripes)
{
    cache_t *cache = cache_new(max_bytes, stripes);

    assert_non_null(cache);
    return cache;
}

static void put(cache_t *cache, uint64_t id, int64_t not_after_s, uint64_t generation, const char *text)
{
    digest_t key = key_of(id);

    cache_put(cache, &key, not_after_s, generation, (uint32_t)id + 40, slice_of(text));
}

/* Whether there is a value of that generation. */
static bool get(cache_t *cache, uint64_t id, int64_t now_s, uint64_t generation)
{
    digest_t key = key_of(id);
    char buffer[100];
    cache_hit_t hit;

    return cache_get(cache, &key, now_s, buffer, sizeof buffer, &hit) && hit.generation == generation;
}

static cache_stats_t stats_of(cache_t *cache)
{
    cache_stats_t stats;

    cache_get_stats(cache, &stats);
    return stats;
}

static void put_len(cache_t *cache, uint64_t id, size_t len)
{
    digest_t key = key_of(id);
    char *bytes = calloc(1, len);

    assert_non_null(bytes);
    cache_put(cache, &key, 100, 1, 0, (slice_t){bytes, len});
    free(bytes);
}

static void a_hit_copies_the_value_out(void **state)
{
    cache_t *cache = make(roomy, 4);
    digest_t key = key_of(1);
    char buffer[8];
    cache_hit_t hit = {0};

    (void)state;
    memset(buffer, '.', sizeof buffer);
    put(cache, 1, 100, 7, "value");
    assert_true(cache_get(cache, &key, 99, buffer, sizeof buffer, &hit));
    assert_memory_equal(buffer, "value...", sizeof buffer);
    assert_int_equal(hit.len, 5);
    assert_int_equal(hit.not_after_s, 100);
    assert_int_equal(hit.generation, 7);
    assert_int_equal(hit.tag, 41);
    cache_free(cache);
}

static void an_empty_value_is_a_hit(void **state)
{
    cache_t *cache = make(roomy, 4);
    digest_t key = key_of(1);
    cache_hit_t hit = {.len = 9};

    (void)state;
    cache_put(cache, &key, 100, 7, 3, slice_of(NULL));
    assert_true(cache_get(cache, &key, 99, NULL, 0, &hit));
    assert_int_equal(hit.len, 0);
    assert_int_equal(hit.tag, 3);
    cache_free(cache);
}

static void outputs_are_untouched_on_a_miss(void **state)
{
    cache_t *cache = make(roomy, 4);
    digest_t key = key_of(1);
    char buffer[8] = "before";
    cache_hit_t hit = {.not_after_s = 1, .tag = 2, .len = 3};

    (void)state;
    assert_false(cache_get(cache, &key, 0, buffer, sizeof buffer, &hit));
    put(cache, 1, 100, 7, "value");
    assert_false(cache_get(cache, &key, 50, buffer, 4, &hit));
    assert_false(cache_get(cache, &key, 100, buffer, sizeof buffer, &hit));
    assert_false(cache_get(cache, &key, 50, buffer, sizeof buffer, &hit));
    assert_string_equal(buffer, "before");
    assert_int_equal(hit.not_after_s, 1);
    assert_int_equal(hit.tag, 2);
    assert_int_equal(hit.len, 3);
    cache_free(cache);
}

static void a_value_is_dead_at_the_second_of_its_not_after(void **state)
{
    cache_t *cache = make(roomy, 4);

    (void)state;
    put(cache, 1, 100, 7, "value");
    assert_true(get(cache, 1, -1, 7));
    assert_true(get(cache, 1, 99, 7));
    assert_int_equal(stats_of(cache).entries, 1);
    assert_false(get(cache, 1, 100, 7));
    assert_int_equal(stats_of(cache).entries, 0);
    /* It was removed: an earlier time does not bring it back. */
    assert_false(get(cache, 1, 99, 7));

    put(cache, 1, INT64_MAX, 7, "value");
    assert_true(get(cache, 1, INT64_MAX - 1, 7));
    assert_false(get(cache, 1, INT64_MAX, 7));
    put(cache, 1, INT64_MIN, 7, "value");
    assert_false(get(cache, 1, INT64_MIN, 7));
    cache_free(cache);
}

static void a_value_comes_with_its_generation(void **state)
{
    cache_t *cache = make(roomy, 4);

    (void)state;
    put(cache, 1, 100, 7, "value");
    assert_true(get(cache, 1, 0, 7));
    assert_false(get(cache, 1, 0, 8));
    put(cache, 1, 100, 8, "value");
    assert_false(get(cache, 1, 0, 7));
    assert_true(get(cache, 1, 0, 8));
    put(cache, 1, 100, UINT64_MAX, "value");
    assert_true(get(cache, 1, 0, UINT64_MAX));
    assert_false(get(cache, 1, 0, UINT32_MAX));
    cache_free(cache);
}

static void a_buffer_that_is_too_small_is_a_miss_and_keeps(void **state)
{
    cache_t *cache = make(roomy, 4);
    digest_t key = key_of(1);
    char *exact = malloc(5);
    cache_hit_t hit;

    (void)state;
    assert_non_null(exact);
    put(cache, 1, 100, 7, "value");
    assert_false(cache_get(cache, &key, 0, exact, 4, &hit));
    assert_int_equal(stats_of(cache).misses, 1);
    assert_true(cache_get(cache, &key, 0, exact, 5, &hit));
    assert_memory_equal(exact, "value", 5);
    free(exact);
    cache_free(cache);
}

static void put_replaces(void **state)
{
    cache_t *cache = make(roomy, 4);
    digest_t key = key_of(1);
    char buffer[16];
    cache_hit_t hit;

    (void)state;
    put(cache, 1, 100, 7, "value");
    cache_put(cache, &key, 200, 8, 9, slice_of("newer"));
    assert_true(cache_get(cache, &key, 150, buffer, sizeof buffer, &hit));
    assert_memory_equal(buffer, "newer", 5);
    assert_int_equal(hit.not_after_s, 200);
    assert_int_equal(hit.tag, 9);
    assert_int_equal(stats_of(cache).entries, 1);
    cache_free(cache);
}

static void a_value_too_large_to_keep_takes_the_older_one_away(void **state)
{
    cache_t *cache = make(roomy, 1);
    digest_t key = key_of(1);

    (void)state;
    put(cache, 1, 100, 1, "value");
    put_len(cache, 1, roomy);
    assert_false(get(cache, 1, 0, 1));
    put(cache, 1, 100, 1, "value");
    /* Refused by its length alone; nothing is read. */
    cache_put(cache, &key, 100, 1, 0, (slice_t){"x", SIZE_MAX});
    assert_false(get(cache, 1, 0, 1));
    put(cache, 1, 100, 1, "value");
    cache_put(cache, &key, 100, 1, 0, (slice_t){"x", (size_t)UINT32_MAX + 2});
    assert_false(get(cache, 1, 0, 1));
    assert_int_equal(stats_of(cache).entries, 0);
    cache_free(cache);
}

static void without_room_nothing_is_kept_and_misses_count(void **state)
{
    cache_t *cache = make(0, 16);

    (void)state;
    put(cache, 1, 100, 1, "value");
    put(cache, 2, 100, 1, "");
    assert_false(get(cache, 1, 0, 1));
    assert_false(get(cache, 2, 0, 1));
    assert_false(get(cache, 3, 0, 1));
    assert_int_equal(stats_of(cache).entries, 0);
    assert_int_equal(stats_of(cache).bytes, 0);
    assert_int_equal(stats_of(cache).hits, 0);
    assert_int_equal(stats_of(cache).misses, 3);
    assert_int_equal(stats_of(cache).evictions, 0);
    cache_free(cache);
}

static void stats_are_the_sums_over_all_stripes(void **state)
{
    cache_t *cache = make(roomy, 16);
    cache_stats_t stats;

    (void)state;
    for (uint64_t id = 0; id < 100; id++)
        put(cache, id, id < 10 ? 50 : 100, 1, "value");
    for (uint64_t id = 0; id < 150; id++)
        assert_int_equal(get(cache, id, 50, 1), id >= 10 && id < 100);
    stats = stats_of(cache);
    assert_int_equal(stats.entries, 90);
    assert_int_equal(stats.hits, 90);
    assert_int_equal(stats.misses, 60);
    assert_int_equal(stats.evictions, 0);
    assert_true(stats.bytes >= UINT64_C(90) * (5 + DIGEST_SIZE));
    cache_free(cache);
}

static void the_bound_holds_for_all_stripes_together(void **state)
{
    cache_t *cache = make(roomy, 16);
    cache_stats_t stats;

    (void)state;
    for (uint64_t id = 0; id < 5000; id++) {
        put_len(cache, id, 500);
        assert_true(stats_of(cache).bytes <= roomy);
    }
    stats = stats_of(cache);
    assert_int_equal(stats.entries + stats.evictions, 5000);
    /* Most of the room is used, in every stripe. */
    assert_true(stats.bytes > roomy / 10 * 9);
    assert_true(stats.entries >= roomy / 10 * 9 / (500 + 128));
    cache_free(cache);
}

/* The largest value that a cache keeps tells the size of its stripes. */
static void assert_stripe_size(size_t max_bytes, unsigned stripes, size_t stripe_bytes)
{
    cache_t *cache = make(max_bytes, stripes);

    put_len(cache, 1, stripe_bytes - 256);
    assert_int_equal(stats_of(cache).entries, 1);
    put_len(cache, 2, stripe_bytes);
    assert_int_equal(stats_of(cache).entries, 1);
    cache_free(cache);
}

static void stripes_are_a_power_of_two_of_64_kib_or_more(void **state)
{
    (void)state;
    assert_stripe_size(1024 * kib, 0, 1024 * kib);
    assert_stripe_size(1024 * kib, 1, 1024 * kib);
    assert_stripe_size(1024 * kib, 2, 512 * kib);
    assert_stripe_size(1024 * kib, 3, 256 * kib);
    assert_stripe_size(1024 * kib, 4, 256 * kib);
    assert_stripe_size(1024 * kib, 16, 64 * kib);
    assert_stripe_size(1024 * kib, 17, 64 * kib);
    assert_stripe_size(1024 * kib, UINT32_MAX, 64 * kib);
    assert_stripe_size(1024 * kib - 1, 16, 128 * kib - 1);
    assert_stripe_size(128 * kib - 1, 16, 128 * kib - 1);
    assert_stripe_size(1 * kib, 16, 1 * kib);
}

static void a_failed_allocation_gives_no_cache(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (unsigned passing = 0;; passing++) {
        cache_t *cache;
        bool failed;

        failing_alloc_arm(passing);
        cache = cache_new(roomy, 4);
        failed = failing_alloc_disarm();
        if (!failed) {
            assert_non_null(cache);
            cache_free(cache);
            break;
        }
        assert_null(cache);
        failures++;
    }
    /* The cache, its stripes, and one table for each of the four. */
    assert_int_equal(failures, 6);
}

static void a_failed_allocation_drops_the_value(void **state)
{
    cache_t *cache = make(roomy, 4);

    (void)state;
    put(cache, 1, 100, 1, "value");
    failing_alloc_arm(0);
    put(cache, 1, 100, 1, "newer");
    assert_true(failing_alloc_disarm());
    assert_false(get(cache, 1, 0, 1));
    put(cache, 1, 100, 1, "newest");
    assert_true(get(cache, 1, 0, 1));
    cache_free(cache);
}

/* Fills one stripe with entries of the same size until one has been evicted; gives how many there are then.
 */
static uint64_t fill_up(cache_t *cache)
{
    for (uint64_t id = 0; stats_of(cache).evictions == 0; id++)
        put_len(cache, id, 500);
    return stats_of(cache).entries;
}

/* Puts new entries until of those that were there one is left. */
static void leave_one(cache_t *cache, uint64_t entries)
{
    for (uint64_t i = 0; i + 1 < entries; i++)
        put_len(cache, 100000 + i, 500);
    assert_int_equal(stats_of(cache).evictions, entries);
}

static bool has(cache_t *cache, uint64_t id, int64_t now_s)
{
    digest_t key = key_of(id);
    char buffer[500];
    cache_hit_t hit;

    return cache_get(cache, &key, now_s, buffer, sizeof buffer, &hit);
}

static void what_was_last_hit_in_an_earlier_second_goes_first(void **state)
{
    cache_t *cache = make(128 * kib, 1);
    uint64_t entries = fill_up(cache);

    (void)state;
    assert_true(has(cache, 5, 20));
    assert_true(has(cache, 6, 20));
    assert_true(has(cache, 7, 20));
    assert_true(has(cache, 5, 21));
    leave_one(cache, entries);
    assert_false(has(cache, 6, 21));
    assert_false(has(cache, 7, 21));
    assert_true(has(cache, 5, 21));
    cache_free(cache);
}

static void within_a_second_what_was_hit_first_goes_first(void **state)
{
    cache_t *cache = make(128 * kib, 1);
    uint64_t entries = fill_up(cache);

    (void)state;
    assert_true(has(cache, 5, 20));
    assert_true(has(cache, 6, 20));
    assert_true(has(cache, 5, 20));
    leave_one(cache, entries);
    assert_false(has(cache, 5, 20));
    assert_true(has(cache, 6, 20));
    cache_free(cache);
}

static void a_hit_that_does_not_fit_is_a_use_all_the_same(void **state)
{
    cache_t *cache = make(128 * kib, 1);
    uint64_t entries = fill_up(cache);
    digest_t key = key_of(5);
    cache_hit_t hit;

    (void)state;
    assert_false(cache_get(cache, &key, 20, NULL, 0, &hit));
    leave_one(cache, entries);
    assert_true(has(cache, 5, 20));
    cache_free(cache);
}

static void free_of_null_is_legal(void **state)
{
    (void)state;
    cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hit_copies_the_value_out),
        cmocka_unit_test(an_empty_value_is_a_hit),
        cmocka_unit_test(outputs_are_untouched_on_a_miss),
        cmocka_unit_test(a_value_is_dead_at_the_second_of_its_not_after),
        cmocka_unit_test(a_value_comes_with_its_generation),
        cmocka_unit_test(a_buffer_that_is_too_small_is_a_miss_and_keeps),
        cmocka_unit_test(put_replaces),
        cmocka_unit_test(a_value_too_large_to_keep_takes_the_older_one_away),
        cmocka_unit_test(without_room_nothing_is_kept_and_misses_count),
        cmocka_unit_test(stats_are_the_sums_over_all_stripes),
        cmocka_unit_test(the_bound_holds_for_all_stripes_together),
        cmocka_unit_test(stripes_are_a_power_of_two_of_64_kib_or_more),
        cmocka_unit_test(a_failed_allocation_gives_no_cache),
        cmocka_unit_test(a_failed_allocation_drops_the_value),
        cmocka_unit_test(what_was_last_hit_in_an_earlier_second_goes_first),
        cmocka_unit_test(within_a_second_what_was_hit_first_goes_first),
        cmocka_unit_test(a_hit_that_does_not_fit_is_a_use_all_the_same),
        cmocka_unit_test(free_of_null_is_legal),
    };

    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
