#include "lru_whole.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

/* What an entry and the smallest table may cost at most, beyond the bytes of the value. */
enum { ENTRY_MAX_COST = 128, SMALLEST_TABLE_MAX_COST = 64 };

static uint64_t random_state;

/* splitmix64: the same run each time. */
static uint64_t random_next(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static digest_t random_key(void)
{
    digest_t key;

    for (size_t i = 0; i < DIGEST_SIZE; i += sizeof(uint64_t)) {
        uint64_t word = random_next();
        memcpy(key.bytes + i, &word, sizeof word);
    }
    return key;
}

static lru_stats_t stats_of(const lru_t *lru)
{
    lru_stats_t stats;

    lru_get_stats(lru, &stats);
    return stats;
}

/* The model: what a stripe must hold, as arrays indexed by key and a list in the order of use. */
typedef struct model_entry {
    bool present;
    digest_t key;
    uint64_t version;
    uint32_t len;
    int newer; /* ring through slot `keys`, whose older is the newest */
    int older;
} model_entry_t;

typedef struct model {
    lru_t *lru;
    size_t max_bytes;
    uint32_t max_len;
    int keys;
    model_entry_t *entries;
    size_t count;
    size_t peak_count;
    size_t value_bytes;
    uint64_t hits;
    uint64_t misses;
    uint64_t evictions;
    char *scratch;
} model_t;

static void model_unlink(model_t *model, int id)
{
    model_entry_t *entry = &model->entries[id];

    model->entries[entry->newer].older = entry->older;
    model->entries[entry->older].newer = entry->newer;
}

static void model_push_newest(model_t *model, int id)
{
    model_entry_t *ring = &model->entries[model->keys];

    model->entries[id].newer = model->keys;
    model->entries[id].older = ring->older;
    model->entries[ring->older].newer = id;
    ring->older = id;
}

static void model_drop(model_t *model, int id)
{
    model_unlink(model, id);
    model->entries[id].present = false;
    model->count--;
    model->value_bytes -= model->entries[id].len;
}

/* The bytes that version `version` of a key has. */
static void fill(char *bytes, uint32_t len, int id, uint64_t version)
{
    uint64_t word = (uint64_t)id * UINT64_C(0x9e3779b97f4a7c15) + version * UINT64_C(0xbf58476d1ce4e5b9);

    for (uint32_t i = 0; i < len; i++) {
        bytes[i] = (char)(unsigned char)(word >> 56);
        word = word * UINT64_C(6364136223846793005) + 1442695040888963407;
    }
}

static void model_get(model_t *model, int id)
{
    model_entry_t *entry = &model->entries[id];
    lru_value_t value;
    bool hit = lru_get(model->lru, &entry->key, &value);

    assert_int_equal(hit, entry->present);
    if (!hit) {
        model->misses++;
        return;
    }
    model->hits++;
    assert_int_equal(value.len, entry->len);
    assert_int_equal(value.generation, entry->version);
    assert_int_equal(value.not_after_s, -(int64_t)entry->version);
    assert_int_equal(value.tag, (uint32_t)id);
    fill(model->scratch, entry->len, id, entry->version);
    if (entry->len > 0)
        assert_memory_equal(value.bytes, model->scratch, entry->len);
    model_unlink(model, id);
    model_push_newest(model, id);
}

/* Takes the entries that the stripe evicted from the model's least recent end. */
static void model_evict(model_t *model, int put_id)
{
    lru_stats_t stats = stats_of(model->lru);
    uint32_t last_len = 0;
    bool evicted = stats.evictions > model->evictions;

    for (; model->evictions < stats.evictions; model->evictions++) {
        int oldest = model->entries[model->keys].newer;

        assert_int_not_equal(oldest, model->keys);
        assert_int_not_equal(oldest, put_id);
        last_len = model->entries[oldest].len;
        model_drop(model, oldest);
    }
    /* The last one had to go: with it the bound would have been passed, a doubled table allowed for. */
    if (evicted)
        assert_true(stats.bytes + last_len + ENTRY_MAX_COST + 16 * model->peak_count +
                        SMALLEST_TABLE_MAX_COST >
                    model->max_bytes);
}

static void model_put(model_t *model, int id, uint32_t len, uint64_t version)
{
    model_entry_t *entry = &model->entries[id];
    lru_value_t value = {.not_after_s = -(int64_t)version,
                         .generation = version,
                         .tag = (uint32_t)id,
                         .bytes = model->scratch,
                         .len = len};
    bool fits = len + ENTRY_MAX_COST + SMALLEST_TABLE_MAX_COST <= model->max_bytes;

    fill(model->scratch, len, id, version);
    if (entry->present)
        model_drop(model, id);
    assert_int_equal(lru_put(model->lru, &entry->key, &value), fits);
    if (!fits) {
        assert_int_equal(stats_of(model->lru).evictions, model->evictions);
        return;
    }
    model_push_newest(model, id);
    entry->present = true;
    entry->len = len;
    entry->version = version;
    model->count++;
    model->value_bytes += len;
    model_evict(model, id);
    if (model->count > model->peak_count)
        model->peak_count = model->count;
}

static void model_check_stats(const model_t *model)
{
    lru_stats_t stats = stats_of(model->lru);

    assert_int_equal(stats.entries, model->count);
    assert_int_equal(stats.evictions, model->evictions);
    assert_true(stats.bytes <= model->max_bytes);
    assert_true(stats.bytes >= model->value_bytes + model->count * DIGEST_SIZE);
    assert_true(stats.bytes <= model->value_bytes + model->count * ENTRY_MAX_COST + 16 * model->peak_count +
                                   SMALLEST_TABLE_MAX_COST);
}

static uint32_t random_len(const model_t *model)
{
    uint64_t choice = random_next();

    /* Mostly small, at times up to the largest, and now and then one that is over the bound for certain. */
    if (choice % 1000 == 0)
        return (uint32_t)model->max_bytes;
    if (choice % 10 == 0)
        return (uint32_t)(random_next() % (model->max_len + 1));
    return (uint32_t)(random_next() % (model->max_len / 8 + 1));
}

static void run_model(size_t max_bytes, uint32_t max_len, int keys, unsigned operations)
{
    model_t model = {.max_bytes = max_bytes, .max_len = max_len, .keys = keys, .lru = lru_new(max_bytes)};

    random_state = max_bytes;
    model.entries = calloc((size_t)keys + 1, sizeof *model.entries);
    model.scratch = malloc(max_bytes);
    assert_non_null(model.lru);
    assert_non_null(model.entries);
    assert_non_null(model.scratch);
    for (int id = 0; id < keys; id++)
        model.entries[id].key = random_key();
    model.entries[keys].newer = model.entries[keys].older = keys;

    for (unsigned i = 0; i < operations; i++) {
        int id = (int)(random_next() % (uint64_t)keys);
        uint64_t choice = random_next() % 100;

        if (choice < 55) {
            model_get(&model, id);
        } else if (choice < 95) {
            model_put(&model, id, random_len(&model), i);
        } else {
            assert_int_equal(lru_remove(model.lru, &model.entries[id].key), model.entries[id].present);
            if (model.entries[id].present)
                model_drop(&model, id);
        }
        model_check_stats(&model);
    }
    for (int id = 0; id < keys; id++)
        model_get(&model, id);
    assert_true(model.hits > operations / 20);
    assert_true(model.misses > operations / 20);
    assert_true(model.evictions > operations / 20);
    lru_free(model.lru);
    free(model.scratch);
    free(model.entries);
}

static void agrees_with_the_model_in_a_tight_bound(void **state)
{
    (void)state;
    run_model(2048, 1024, 40, 300000);
}

static void agrees_with_the_model_in_a_middling_bound(void **state)
{
    (void)state;
    run_model(65536, 4096, 500, 500000);
}

static void agrees_with_the_model_with_many_small_entries(void **state)
{
    (void)state;
    run_model(400000, 64, 10000, 400000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_model_in_a_tight_bound),
        cmocka_unit_test(agrees_with_the_model_in_a_middling_bound),
        cmocka_unit_test(agrees_with_the_model_with_many_small_entries),
    };

    return cmocka_run_group_tests_name("lru_model", tests, NULL, NULL);
}
