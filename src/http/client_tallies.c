#include "client_tallies.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE_SIZE = 64 };

/* A line each, so that threads which count for the same client do not take it from each other. */
typedef struct place {
    alignas(CACHE_LINE_SIZE) client_tally_t tally;
} place_t;

typedef struct entry {
    struct entry *next;
    char *client_id;
    place_t *places; /* by thread */
} entry_t;

struct client_tallies {
    size_t thread_count;
    pthread_mutex_t mutex; /* of the list, which only grows */
    entry_t *first;        /* sorted, as a client set is */
};

client_tallies_t *client_tallies_new(size_t thread_count)
{
    client_tallies_t *tallies = calloc(1, sizeof(*tallies));
    if (tallies == NULL)
        return NULL;
    tallies->thread_count = thread_count;
    pthread_mutex_init(&tallies->mutex, NULL);
    return tallies;
}

static void free_entry(entry_t *entry)
{
    free(entry->client_id);
    free(entry->places);
    free(entry);
}

void client_tallies_free(client_tallies_t *tallies)
{
    if (tallies == NULL)
        return;
    while (tallies->first != NULL) {
        entry_t *entry = tallies->first;
        tallies->first = entry->next;
        free_entry(entry);
    }
    pthread_mutex_destroy(&tallies->mutex);
    free(tallies);
}

static entry_t *new_entry(const client_tallies_t *tallies, const char *client_id)
{
    entry_t *entry = calloc(1, sizeof(*entry));
    if (entry == NULL)
        return NULL;
    size_t size = tallies->thread_count * sizeof(entry->places[0]);
    entry->client_id = strdup(client_id);
    entry->places = aligned_alloc(alignof(place_t), size);
    if (entry->client_id == NULL || entry->places == NULL) {
        free_entry(entry);
        return NULL;
    }
    memset(entry->places, 0, size);
    return entry;
}

/* The entry at *place, or behind it; a new one stands in order. NULL when memory cannot be had. */
static entry_t *find_or_add(const client_tallies_t *tallies, const char *client_id, entry_t ***place)
{
    while (**place != NULL && strcmp((**place)->client_id, client_id) < 0)
        *place = &(**place)->next;
    entry_t *found = **place;
    if (found != NULL && strcmp(found->client_id, client_id) == 0)
        return found;
    entry_t *added = new_entry(tallies, client_id);
    if (added != NULL) {
        added->next = found;
        **place = added;
    }
    return added;
}

client_tally_t **client_tallies_of(client_tallies_t *tallies, const client_set_t *clients, size_t thread)
{
    client_tally_t **found = calloc(clients->count + 1, sizeof(client_tally_t *));
    bool is_complete = found != NULL;
    pthread_mutex_lock(&tallies->mutex);
    entry_t **place = &tallies->first;
    for (size_t i = 0; is_complete && i < clients->count; i++) {
        const entry_t *entry = find_or_add(tallies, clients->clients[i].client_id, &place);
        is_complete = entry != NULL;
        if (is_complete)
            found[clients->clients[i].index] = &entry->places[thread].tally;
    }
    pthread_mutex_unlock(&tallies->mutex);
    if (is_complete)
        return found;
    free(found);
    return NULL;
}

void client_tallies_each(client_tallies_t *tallies, client_tallies_cb *each, void *data)
{
    pthread_mutex_lock(&tallies->mutex);
    for (const entry_t *entry = tallies->first; entry != NULL; entry = entry->next) {
        client_tally_t sum = {0};
        for (size_t i = 0; i < tallies->thread_count; i++) {
            for (size_t outcome = 0; outcome <= OUTCOME_UNAVAILABLE; outcome++)
                tally_count(&sum.outcomes[outcome], tally_read(&entry->places[i].tally.outcomes[outcome]));
        }
        each(data, entry->client_id, &sum);
    }
    pthread_mutex_unlock(&tallies->mutex);
}
