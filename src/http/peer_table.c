#include "peer_table.h"

#include "introspectd/digest.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_WORDS = sizeof(peer_key_t) / sizeof(uint32_t), MIN_CAPACITY = 16 };

typedef struct slot {
    peer_key_t key;
    uint32_t count; /* 0 where there is none */
} slot_t;

struct peer_table {
    pthread_mutex_t lock;
    uint64_t seed[KEY_WORDS];
    slot_t *slots;
    size_t capacity; /* a power of two */
    size_t len;
    size_t max_len;
};

peer_key_t peer_key_of(ip_address_t address)
{
    peer_key_t key;
    ip_address_t host = ip_address_of_host(address);
    memcpy(key.bytes, host.bytes, sizeof(key.bytes));
    return key;
}

peer_table_t *peer_table_new(size_t max_addresses)
{
    peer_table_t *table = calloc(1, sizeof(*table));
    digest_seed_t seed;
    if (table == NULL)
        return NULL;
    table->slots = calloc(MIN_CAPACITY, sizeof(*table->slots));
    if (table->slots == NULL || !digest_seed_random(&seed)) {
        free(table->slots);
        free(table);
        return NULL;
    }
    static_assert(sizeof(table->seed) == sizeof(seed.bytes), "a factor of 64 bits for each word of a key");
    memcpy(table->seed, seed.bytes, sizeof(table->seed));
    table->capacity = MIN_CAPACITY;
    table->max_len = max_addresses;
    pthread_mutex_init(&table->lock, NULL);
    return table;
}

void peer_table_free(peer_table_t *table)
{
    if (table == NULL)
        return;
    pthread_mutex_destroy(&table->lock);
    free(table->slots);
    free(table);
}

/*
 * Multilinear hashing: two keys that are chosen without knowing the seed share a slot hardly more often than
 * by chance, and a peer can choose among all of IPv6.
 */
static size_t home_of(const peer_table_t *table, const peer_key_t *key)
{
    uint32_t words[KEY_WORDS];
    uint64_t sum = 0;
    memcpy(words, key->bytes, sizeof(words));
    for (size_t i = 0; i < KEY_WORDS; i++)
        sum += table->seed[i] * words[i];
    return (size_t)(sum >> 32) & (table->capacity - 1);
}

static size_t next_of(const peer_table_t *table, size_t place)
{
    return (place + 1) & (table->capacity - 1);
}

/* Where key is, or would go. */
static size_t find(const peer_table_t *table, const peer_key_t *key)
{
    size_t place = home_of(table, key);
    while (table->slots[place].count > 0 && memcmp(&table->slots[place].key, key, sizeof(*key)) != 0)
        place = next_of(table, place);
    return place;
}

static bool resize(peer_table_t *table, size_t capacity)
{
    slot_t *old = table->slots;
    size_t old_capacity = table->capacity;
    slot_t *slots = calloc(capacity, sizeof(*slots));
    if (slots == NULL)
        return false;
    table->slots = slots;
    table->capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].count > 0)
            slots[find(table, &old[i].key)] = old[i];
    }
    free(old);
    return true;
}

static bool has_room(const peer_table_t *table)
{
    return table->len + 1 <= table->capacity / 4 * 3;
}

static bool add_new(peer_table_t *table, const peer_key_t *key)
{
    if (table->len >= table->max_len)
        return false;
    if (!has_room(table) && !resize(table, table->capacity * 2))
        return false;
    slot_t *slot = &table->slots[find(table, key)];
    slot->key = *key;
    slot->count = 1;
    table->len++;
    return true;
}

bool peer_table_add(peer_table_t *table, const peer_key_t *key, uint32_t max_per_address)
{
    pthread_mutex_lock(&table->lock);
    slot_t *slot = &table->slots[find(table, key)];
    bool is_added = slot->count < max_per_address;
    if (slot->count == 0)
        is_added = is_added && add_new(table, key);
    else
        slot->count += is_added;
    pthread_mutex_unlock(&table->lock);
    return is_added;
}

/* Moves up those that passed the place on the way from theirs, so that each is still found. */
static void empty(peer_table_t *table, size_t place)
{
    size_t mask = table->capacity - 1;
    for (size_t at = next_of(table, place); table->slots[at].count > 0; at = next_of(table, at)) {
        size_t way = (at - home_of(table, &table->slots[at].key)) & mask;
        if (way < ((at - place) & mask))
            continue;
        table->slots[place] = table->slots[at];
        place = at;
    }
    table->slots[place].count = 0;
    table->len--;
    /* Where memory for fewer slots cannot be had, those there are will do. */
    if (table->capacity > MIN_CAPACITY && table->len < table->capacity / 8)
        (void)resize(table, table->capacity / 2);
}

void peer_table_remove(peer_table_t *table, const peer_key_t *key)
{
    pthread_mutex_lock(&table->lock);
    size_t place = find(table, key);
    if (table->slots[place].count == 1)
        empty(table, place);
    else if (table->slots[place].count > 1)
        table->slots[place].count--;
    pthread_mutex_unlock(&table->lock);
}

uint32_t peer_table_count(peer_table_t *table, const peer_key_t *key)
{
    pthread_mutex_lock(&table->lock);
    uint32_t count = table->slots[find(table, key)].count;
    pthread_mutex_unlock(&table->lock);
    return count;
}
