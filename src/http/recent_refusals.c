#include "recent_refusals.h"

#include "introspectd/clock.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct recent_refusals {
    pthread_mutex_t mutex;
    size_t max_count;
    size_t next;
    json_t *entries[]; /* a ring; NULL: not yet */
};

recent_refusals_t *recent_refusals_new(size_t max_count)
{
    recent_refusals_t *recent = calloc(1, sizeof(*recent) + max_count * sizeof(json_t *));
    if (recent == NULL)
        return NULL;
    pthread_mutex_init(&recent->mutex, NULL);
    recent->max_count = max_count;
    return recent;
}

void recent_refusals_free(recent_refusals_t *recent)
{
    if (recent == NULL)
        return;
    for (size_t i = 0; i < recent->max_count; i++)
        json_decref(recent->entries[i]);
    pthread_mutex_destroy(&recent->mutex);
    free(recent);
}

static json_t *with_time(const json_t *fields)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_now_s(), time);
    json_t *entry = json_pack("{s:s}", "time", time);
    json_t *copy = json_deep_copy(fields);
    bool is_complete = entry != NULL && copy != NULL && json_object_update(entry, copy) == 0;
    json_decref(copy);
    if (is_complete)
        return entry;
    json_decref(entry);
    return NULL;
}

void recent_refusals_add(recent_refusals_t *recent, const json_t *fields)
{
    json_t *entry = with_time(fields);
    if (entry == NULL)
        return;
    pthread_mutex_lock(&recent->mutex);
    json_t *oldest = recent->entries[recent->next];
    recent->entries[recent->next] = entry;
    recent->next = (recent->next + 1) % recent->max_count;
    pthread_mutex_unlock(&recent->mutex);
    json_decref(oldest);
}

json_t *recent_refusals_list(recent_refusals_t *recent)
{
    json_t *list = json_array();
    bool is_complete = list != NULL;
    pthread_mutex_lock(&recent->mutex);
    for (size_t i = 1; is_complete && i <= recent->max_count; i++) {
        const json_t *entry = recent->entries[(recent->next + recent->max_count - i) % recent->max_count];
        if (entry == NULL)
            break;
        is_complete = json_array_append_new(list, json_deep_copy(entry)) == 0;
    }
    pthread_mutex_unlock(&recent->mutex);
    if (is_complete)
        return list;
    json_decref(list);
    return NULL;
}
