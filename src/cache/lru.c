#include "introspectd/lru.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Chained buckets over separately allocated entries. The table grows by linear hashing: each put splits a
 * few buckets until all that there is room for are in use, so no single put pays for moving all entries while
 * others wait. Chains stay short, since every entry passed costs a miss of the processor's cache, and removal
 * leaves no trace in the table.
 */
enum {
    CACHE_LINE_SIZE = 64,
    FIRST_CAPACITY = 8,
    SPLITS_A_PUT = 2, /* so that all buckets are in use before the next doubling */
    MALLOC_HEADER_SIZE = 8,
    MALLOC_ALIGNMENT = 16
};

/* What a look-up reads comes first: it then mostly touches one cache line of an entry. */
typedef struct lru_entry {
    struct lru_entry *next_in_bucket; /* of an entry that has left: the next that has */
    digest_t key;
    int64_t not_after_s;
    uint64_t generation;
    uint32_t tag;
    uint32_t len;
    struct lru_entry *newer;
    struct lru_entry *older;
    _Atomic uint32_t used_s; /* the one thing that is written while others find */
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
    uint32_t used_s; /* the last mark */
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

/* The bytes of a value begin in what would be padding. */
static size_t entry_size(uint32_t len)
{
    size_t size = offsetof(entry_t, bytes) + len;

    return size > sizeof(entry_t) ? size : sizeof(entry_t);
}

/* What an entry costs in the heap, the allocator's own header and rounding included. */
static size_t entry_cost(uint32_t len)
{
    size_t size = entry_size(len) + MALLOC_HEADER_SIZE;

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

static void drop(lru_t *lru, entry_t **link, entry_t **gone)
{
    entry_t *entry = *link;

    *link = entry->next_in_bucket;
    list_unlink(lru, entry);
    lru->entries--;
    lru->bytes -= entry_cost(entry->len);
    entry->next_in_bucket = *gone;
    *gone = entry;
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
static bool make_room(lru_t *lru, size_t cost, entry_t **gone)
{
    for (;;) {
        size_t needed = cost + table_cost(wanted_capacity(lru)) - table_cost(lru->capacity);

        if (needed <= lru->max_bytes && lru->bytes <= lru->max_bytes - needed)
            return true;
        if (lru->oldest != NULL) {
            drop(lru, find(lru, &lru->oldest->key), gone);
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

/* Makes the table ready for one more entry. */
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
    for (int i = 0; i < SPLITS_A_PUT && lru->buckets < lru->capacity; i++)
        split_bucket(lru);
    return true;
}

static void fill_value(const entry_t *entry, lru_value_t *value)
{
    value->not_after_s = entry->not_after_s;
    value->generation = entry->generation;
    value->tag = entry->tag;
    value->bytes = entry->bytes;
    value->len = entry->len;
    value->used_s = atomic_load_explicit(&entry->used_s, memory_order_relaxed);
}

lru_entry_t *lru_find(const lru_t *lru, const digest_t *key, lru_value_t *value)
{
    entry_t **link = find(lru, key);

    if (link == NULL)
        return NULL;
    fill_value(*link, value);
    return *link;
}

void lru_use(lru_t *lru, lru_entry_t *entry, uint32_t now_s)
{
    lru->used_s = now_s;
    atomic_store_explicit(&entry->used_s, now_s, memory_order_relaxed);
    if (entry != lru->newest) {
        list_unlink(lru, entry);
        list_push_newest(lru, entry);
    }
}

/* Whether a value of that length can ever be kept: one that cannot pushes nothing out. */
static bool fits(const lru_t *lru, uint32_t len)
{
    return lru->max_bytes >= table_cost(FIRST_CAPACITY) &&
           entry_cost(len) <= lru->max_bytes - table_cost(FIRST_CAPACITY);
}

lru_entry_t *lru_entry_new(const lru_t *lru, const digest_t *key, const lru_value_t *value)
{
    entry_t *entry;

    if (!fits(lru, value->len))
        return NULL;
    entry = malloc(entry_size(value->len));
    if (entry == NULL)
        return NULL;
    entry->key = *key;
    entry->not_after_s = value->not_after_s;
    entry->generation = value->generation;
    entry->tag = value->tag;
    entry->len = value->len;
    if (value->len > 0)
        memcpy(entry->bytes, value->bytes, value->len);
    return entry;
}

void lru_entries_free(lru_entry_t *gone)
{
    while (gone != NULL) {
        entry_t *next = gone->next_in_bucket;
        free(gone);
        gone = next;
    }
}

bool lru_put_entry(lru_t *lru, lru_entry_t *take_entry, lru_entry_t **gone)
{
    size_t cost = entry_cost(take_entry->len);
    entry_t **bucket;

    lru_remove_entry(lru, &take_entry->key, gone);
    if (!make_room(lru, cost, gone) || !grow_table(lru)) {
        take_entry->next_in_bucket = *gone;
        *gone = take_entry;
        return false;
    }
    bucket = bucket_of(lru, &take_entry->key);
    take_entry->next_in_bucket = *bucket;
    *bucket = take_entry;
    atomic_init(&take_entry->used_s, lru->used_s);
    list_push_newest(lru, take_entry);
    lru->entries++;
    lru->bytes += cost;
    return true;
}

bool lru_remove_entry(lru_t *lru, const digest_t *key, lru_entry_t **gone)
{
    entry_t **link = find(lru, key);

    if (link == NULL)
        return false;
    drop(lru, link, gone);
    return true;
}

void lru_get_stats(const lru_t *lru, lru_stats_t *stats)
{
    stats->entries = lru->entries;
    stats->bytes = lru->bytes;
    stats->evictions = lru->evictions;
}
