#include "introspectd/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
    THREADS = 4,
    MANY_THREADS = 24, /* more than may read at once */
    OPERATIONS = 400000,
    KEYS = 400,
    MAX_BYTES = 256 * 1024, /* about half of what all keys would take */
    STRIPES = 4,
    VALUE_MAX_LEN = 2048
};

/* What each value begins with; the bytes behind it follow from it. */
typedef struct header {
    uint64_t key;
    uint64_t generation;
    int64_t not_after_s;
    uint32_t tag;
    uint32_t len;
} header_t;

typedef struct run {
    cache_t *cache;
    _Atomic int64_t now_s;
    _Atomic uint64_t generation;
    _Atomic uint64_t gets;
    _Atomic uint64_t hits;
    _Atomic uint64_t wrong;
    _Atomic bool over;
} run_t;

typedef struct worker {
    run_t *run;
    uint64_t random;
    int operations;
    pthread_t thread;
    char buffer[VALUE_MAX_LEN];
    char expected[VALUE_MAX_LEN];
} worker_t;

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static uint64_t random_below(worker_t *worker, uint64_t bound)
{
    worker->random += UINT64_C(0x9e3779b97f4a7c15);
    return mix(worker->random) % bound;
}

static digest_t digest_of(uint64_t key)
{
    digest_t digest;

    for (size_t i = 0; i < DIGEST_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = mix(key * 4 + i + 1);
        memcpy(digest.bytes + i, &word, sizeof word);
    }
    return digest;
}

static void write_value(char *out, const header_t *header)
{
    uint64_t seed =
        mix(header->key ^ mix(header->generation) ^ mix((uint64_t)header->not_after_s + header->tag));

    memset(out, (int)(seed & 0xff), header->len);
    memcpy(out, header, sizeof *header);
    memcpy(out + header->len - sizeof seed, &seed, sizeof seed);
}

static void put_one(worker_t *worker)
{
    run_t *run = worker->run;
    header_t header = {.key = random_below(worker, KEYS), .tag = (uint32_t)random_below(worker, 1000)};
    digest_t digest = digest_of(header.key);

    header.len = (uint32_t)(sizeof header + sizeof(uint64_t) +
                            random_below(worker, VALUE_MAX_LEN - sizeof header - sizeof(uint64_t) + 1));
    header.generation = atomic_load(&run->generation);
    header.not_after_s = atomic_load(&run->now_s) + (int64_t)random_below(worker, 4);
    write_value(worker->buffer, &header);
    cache_put(run->cache, &digest, header.not_after_s, header.generation, header.tag,
              (slice_t){worker->buffer, header.len});
}

/* Whether a hit is what was put: of this key and generation, not yet dead, and whole. */
static bool is_right(worker_t *worker, uint64_t key, int64_t now_s, uint64_t generation,
                     const cache_hit_t *hit)
{
    header_t header;

    if (hit->len < sizeof header + sizeof(uint64_t) || hit->len > VALUE_MAX_LEN)
        return false;
    memcpy(&header, worker->buffer, sizeof header);
    if (header.key != key || header.generation != generation || header.not_after_s <= now_s)
        return false;
    if (header.not_after_s != hit->not_after_s || header.tag != hit->tag || header.len != hit->len)
        return false;
    write_value(worker->expected, &header);
    return memcmp(worker->buffer, worker->expected, header.len) == 0;
}

static void get_one(worker_t *worker)
{
    run_t *run = worker->run;
    uint64_t key = random_below(worker, KEYS);
    digest_t digest = digest_of(key);
    int64_t now_s = atomic_load(&run->now_s);
    uint64_t generation = atomic_load(&run->generation);
    size_t room = random_below(worker, 16) == 0 ? 256 : VALUE_MAX_LEN;
    cache_hit_t hit;

    atomic_fetch_add(&run->gets, 1);
    if (!cache_get(run->cache, &digest, now_s, worker->buffer, room, &hit))
        return;
    atomic_fetch_add(&run->hits, 1);
    if (hit.generation != generation)
        return;
    if (hit.len > room || !is_right(worker, key, now_s, generation, &hit))
        atomic_fetch_add(&run->wrong, 1);
}

static void *work(void *argument)
{
    worker_t *worker = argument;

    for (int i = 0; i < worker->operations; i++) {
        uint64_t choice = random_below(worker, 1000);

        if (choice < 600)
            get_one(worker);
        else if (choice < 998)
            put_one(worker);
        else if (choice < 999)
            atomic_fetch_add(&worker->run->now_s, 1);
        else
            atomic_fetch_add(&worker->run->generation, 1);
    }
    return NULL;
}

static void *watch_bound(void *argument)
{
    run_t *run = argument;

    while (!atomic_load(&run->over)) {
        struct timespec pause = {.tv_nsec = 1000000};
        cache_stats_t stats;

        cache_get_stats(run->cache, &stats);
        if (stats.bytes > MAX_BYTES)
            atomic_fetch_add(&run->wrong, 1);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void run_threads(int threads)
{
    static worker_t workers[MANY_THREADS];
    run_t run = {.cache = cache_new(MAX_BYTES, STRIPES), .now_s = 1000, .generation = 1};
    pthread_t watcher;
    cache_stats_t stats;

    assert_non_null(run.cache);
    assert_int_equal(pthread_create(&watcher, NULL, watch_bound, &run), 0);
    for (int i = 0; i < threads; i++) {
        workers[i].run = &run;
        workers[i].random = (uint64_t)i;
        workers[i].operations = OPERATIONS / threads;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
    atomic_store(&run.over, true);
    pthread_join(watcher, NULL);

    cache_get_stats(run.cache, &stats);
    assert_int_equal(run.wrong, 0);
    assert_int_equal(stats.hits, run.hits);
    assert_int_equal(stats.hits + stats.misses, run.gets);
    /* Otherwise the run has shown nothing. */
    assert_true(stats.hits > 1000);
    assert_true(stats.misses > 1000);
    assert_true(stats.evictions > 1000);
    assert_true(run.generation > 10 && run.now_s > 1010);
    cache_free(run.cache);
}

static void a_hit_is_always_what_was_put_and_still_good(void **state)
{
    (void)state;
    run_threads(THREADS);
}

static void so_it_is_with_more_threads_than_may_read_at_once(void **state)
{
    (void)state;
    run_threads(MANY_THREADS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hit_is_always_what_was_put_and_still_good),
        cmocka_unit_test(so_it_is_with_more_threads_than_may_read_at_once),
    };

    return cmocka_run_group_tests_name("cache_stress", tests, NULL, NULL);
}
