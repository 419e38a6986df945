#include "introspectd/lru.h"

#include <stdlib.h>
#include <string.h>

/*
 * Chained buckets over separately allocated entries. The table grows by linear hashing: one bucket is split
 * for each entry that has no bucket of its own, so no single put pays for moving all entries while it holds
 * the stripe's lock. Chains stay short and removal leaves no trace in the table.
 */
enum { CACHE_LINE_SIZE = 64, FIRST_CAPACITY = 8, MALLOC_HEADER_SIZE = 8, MALLOC_ALIGNMENT = 16 };

/* What a look-up reads comes first: it then mostly touches one cache line of an entry. */
typedef struct entry {
    struct entry *next_in_bucket;
    digest_t key;
    int64_t not_after_s;
    uint64_t generation;
    uint32_t tag;
    uint32_t len;
    struct entry *newer;
    struct entry *older;
    char bytes[];
} entry_t;

struct lru {
    entry_t **table;
    size_t buckets;    /* in use */
    size_t capacity;   /* allocated, a power of two */
    size_t split_mask; /* the smallest 2^n - 1 that covers all buckets in use */
    entry_t *newest;
    entry_t *oldest;
    size_t entries;
    size_t bytes;
    size_t max_bytes;
    uint64_t evictions;
};

lru_t *lru_new(size_t max_bytes)
{
    /* Whole cache lines: two stripes that are used by two threads never share one. */
    size_t size = (sizeof(lru_t) + CACHE_LINE_SIZE - 1) / CACHE_LINE_SIZE * CACHE_LINE_SIZE;
    lru_t *lru = aligned_alloc(CACHE_LINE_SIZE, size);

    if (lru == NULL)
        return NULL;
    *lru = (lru_t){.max_bytes = max_bytes};
    return lru;
}

void lru_free(lru_t *lru)
{
    entry_t *older;

    if (lru == NULL)
        return;
    for (entry_t *entry = lru->newest; entry != NULL; entry = older) {
        older = entry->older;
        free(entry);
    }
    free(lru->table);
    free(lru);
}

/* What an entry costs in the heap, the allocator's own header and rounding included. */
static size_t entry_cost(uint32_t len)
{
    size_t size = sizeof(entry_t) + len + MALLOC_HEADER_SIZE;

    return (size + MALLOC_ALIGNMENT - 1) / MALLOC_ALIGNMENT * MALLOC_ALIGNMENT;
}

static size_t table_cost(size_t capacity)
{
    return capacity * sizeof(entry_t *);
}

/* The table exists and the key's bucket is in use. */
static entry_t **bucket_of(const lru_t *lru, const digest_t *key)
{
    uint64_t hash;
    size_t bucket;

    /* Digests are spread evenly, so that any of their bytes make a hash. */
    memcpy(&hash, key->bytes, sizeof hash);
    bucket = hash & lru->split_mask;
    if (bucket >= lru->buckets)
        bucket &= lru->split_mask >> 1;
    return &lru->table[bucket];
}

/* The link that points at key's entry, or NULL. */
static entry_t **find(const lru_t *lru, const digest_t *key)
{
    if (lru->table == NULL)
        return NULL;
    for (entry_t **link = bucket_of(lru, key); *link != NULL; link = &(*link)->next_in_bucket) {
        if (memcmp(&(*link)->key, key, sizeof *key) == 0)
            return link;
    }
    return NULL;
}

static void list_unlink(lru_t *lru, entry_t *entry)
{
    if (entry->newer != NULL)
        entry->newer->older = entry->older;
    else
        lru->newest = entry->older;
    if (entry->older != NULL)
        entry->older->newer = entry->newer;
    else
        lru->oldest = entry->newer;
}

static void list_push_newest(lru_t *lru, entry_t *entry)
{
    entry->newer = NULL;
    entry->older = lru->newest;
    if (lru->newest != NULL)
        lru->newest->newer = entry;
    else
        lru->oldest = entry;
    lru->newest = entry;
}

static void drop(lru_t *lru, entry_t **link)
{
    entry_t *entry = *link;

    *link = entry->next_in_bucket;
    list_unlink(lru, entry);
    lru->entries--;
    lru->bytes -= entry_cost(entry->len);
    free(entry);
}

static void drop_table(lru_t *lru)
{
    lru->bytes -= table_cost(lru->capacity);
    free(lru->table);
    lru->table = NULL;
    lru->buckets = lru->capacity = lru->split_mask = 0;
}

/* The capacity that one more entry asks for. */
static size_t wanted_capacity(const lru_t *lru)
{
    if (lru->table == NULL)
        return FIRST_CAPACITY;
    return lru->entries < lru->capacity ? lru->capacity : 2 * lru->capacity;
}

/* Evicts until cost and the table that it asks for have room; false when the bound is too small for both. */
static bool make_room(lru_t *lru, size_t cost)
{
    for (;;) {
        size_t needed = cost + table_cost(wanted_capacity(lru)) - table_cost(lru->capacity);

        if (needed <= lru->max_bytes && lru->bytes <= lru->max_bytes - needed)
            return true;
        if (lru->oldest != NULL) {
            drop(lru, find(lru, &lru->oldest->key));
            lru->evictions++;
        } else if (lru->capacity > FIRST_CAPACITY) {
            /* A table that many small entries left behind must not keep a large one out. */
            drop_table(lru);
        } else {
            return false;
        }
    }
}

/* Moves what belongs into the bucket behind the last one out of the bucket that it shared until now. */
static void split_bucket(lru_t *lru)
{
    size_t added = lru->buckets++;
    entry_t **link;

    lru->table[added] = NULL;
    if (added > lru->split_mask)
        lru->split_mask = 2 * lru->split_mask + 1;
    link = &lru->table[added & (lru->split_mask >> 1)];
    while (*link != NULL) {
        entry_t *entry = *link;
        entry_t **bucket = bucket_of(lru, &entry->key);

        if (bucket == &lru->table[added]) {
            *link = entry->next_in_bucket;
            entry->next_in_bucket = *bucket;
            *bucket = entry;
        } else {
            link = &entry->next_in_bucket;
        }
    }
}

/* Gives one more entry a bucket. */
static bool grow_table(lru_t *lru)
{
    size_t capacity = wanted_capacity(lru);

    if (capacity != lru->capacity) {
        entry_t **table = realloc(lru->table, table_cost(capacity));

        if (table == NULL)
            return false;
        lru->bytes += table_cost(capacity) - table_cost(lru->capacity);
        lru->table = table;
        lru->capacity = capacity;
    }
    if (lru->buckets == 0) {
        lru->buckets = 1;
        lru->table[0] = NULL;
    }
    if (lru->entries >= lru->buckets)
        split_bucket(lru);
    return true;
}

bool lru_get(lru_t *lru, const digest_t *key, lru_value_t *value)
{
    entry_t **link = find(lru, key);
    entry_t *entry;

    if (link == NULL)
        return false;
    entry = *link;
    if (entry != lru->newest) {
        list_unlink(lru, entry);
        list_push_newest(lru, entry);
    }
    value->not_after_s = entry->not_after_s;
    value->generation = entry->generation;
    value->tag = entry->tag;
    value->bytes = entry->bytes;
    value->len = entry->len;
    return true;
}

bool lru_put(lru_t *lru, const digest_t *key, const lru_value_t *value)
{
    size_t cost = entry_cost(value->len);
    entry_t **bucket;
    entry_t *entry;

    lru_remove(lru, key);
    /* Asked before anything is evicted: a value that can never be kept pushes nothing out. */
    if (lru->max_bytes < table_cost(FIRST_CAPACITY) || cost > lru->max_bytes - table_cost(FIRST_CAPACITY))
        return false;
    if (!make_room(lru, cost))
        return false;
    entry = malloc(sizeof *entry + value->len);
    if (entry == NULL)
        return false;
    if (!grow_table(lru)) {
        free(entry);
        return false;
    }

    entry->key = *key;
    entry->not_after_s = value->not_after_s;
    entry->generation = value->generation;
    entry->tag = value->tag;
    entry->len = value->len;
    if (value->len > 0)
        memcpy(entry->bytes, value->bytes, value->len);
    bucket = bucket_of(lru, key);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    list_push_newest(lru, entry);
    lru->entries++;
    lru->bytes += cost;
    return true;
}

bool lru_remove(lru_t *lru, const digest_t *key)
{
    entry_t **link = find(lru, key);

    if (link == NULL)
        return false;
    drop(lru, link);
    return true;
}

void lru_get_stats(const lru_t *lru, lru_stats_t *stats)
{
    stats->entries = lru->entries;
    stats->bytes = lru->bytes;
    stats->evictions = lru->evictions;
}
