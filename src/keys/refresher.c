#include "introspectd/refresher.h"

#include "fetch.h"
#include "key_settings.h"
#include "key_source.h"

#include "introspectd/clock.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A source that nobody holds any more is found out this late at the latest. */
enum { MAX_WAIT_MS = 60000 };

typedef struct member {
    struct member *next;
    key_source_t *source;
} member_t;

struct refresher {
    fetcher_t *fetcher; /* NULL until there is something to fetch, and then the thread runs */
    pthread_t thread;
    atomic_bool is_ending;
    pthread_mutex_t mutex; /* of the list: anybody adds at its head, only the thread takes out */
    member_t *members;
};

static void wake(void *data)
{
    refresher_t *refresher = data;
    fetcher_wake(refresher->fetcher);
}

static void free_members(member_t *member)
{
    while (member != NULL) {
        member_t *next = member->next;
        key_source_free(member->source);
        free(member);
        member = next;
    }
}

static bool is_held(const member_t *member)
{
    return keyset_slot_holders(key_source_slot(member->source)) > 1;
}

/* Takes out what nobody holds but the refresher: under the lock no new holder can come. */
static member_t *take_out_unheld(refresher_t *refresher)
{
    member_t *unheld = NULL;
    member_t **link = &refresher->members;
    while (*link != NULL) {
        member_t *member = *link;
        if (is_held(member)) {
            link = &member->next;
            continue;
        }
        *link = member->next;
        member->next = unheld;
        unheld = member;
    }
    return unheld;
}

/* Does what is due; how long there is nothing to do then. */
static int step(refresher_t *refresher)
{
    pthread_mutex_lock(&refresher->mutex);
    member_t *unheld = take_out_unheld(refresher);
    /* What is added from here on has woken the next round. */
    member_t *members = refresher->members;
    pthread_mutex_unlock(&refresher->mutex);

    free_members(unheld);
    int64_t now_ms = clock_monotonic_ms();
    int64_t due_ms = now_ms + MAX_WAIT_MS;
    for (member_t *member = members; member != NULL; member = member->next) {
        key_source_step(member->source, now_ms);
        int64_t next_ms = key_source_due_ms(member->source);
        due_ms = next_ms < due_ms ? next_ms : due_ms;
    }
    return due_ms <= now_ms ? 0 : (int)(due_ms - now_ms);
}

static void *run(void *data)
{
    refresher_t *refresher = data;
    while (!atomic_load(&refresher->is_ending))
        fetcher_poll(refresher->fetcher, step(refresher));
    return NULL;
}

/* With all signals blocked: they are for the main thread, and a broken connection is no reason to end. */
static bool start_thread(refresher_t *refresher)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    bool is_started = pthread_create(&refresher->thread, NULL, run, refresher) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return is_started;
}

refresher_t *refresher_new(void)
{
    refresher_t *refresher = calloc(1, sizeof(*refresher));
    if (refresher == NULL)
        return NULL;
    atomic_init(&refresher->is_ending, false);
    if (pthread_mutex_init(&refresher->mutex, NULL) != 0) {
        free(refresher);
        return NULL;
    }
    return refresher;
}

/* The lock is held. */
static bool start(refresher_t *refresher)
{
    if (refresher->fetcher != NULL)
        return true;
    refresher->fetcher = fetcher_new();
    if (refresher->fetcher == NULL)
        return false;
    if (start_thread(refresher))
        return true;
    fetcher_free(refresher->fetcher);
    refresher->fetcher = NULL;
    return false;
}

void refresher_free(refresher_t *refresher)
{
    if (refresher == NULL)
        return;
    if (refresher->fetcher != NULL) {
        atomic_store(&refresher->is_ending, true);
        fetcher_wake(refresher->fetcher);
        pthread_join(refresher->thread, NULL);
        free_members(refresher->members);
        fetcher_free(refresher->fetcher);
    }
    pthread_mutex_destroy(&refresher->mutex);
    free(refresher);
}

static bool has_keys(const key_source_t *source)
{
    keyset_t *keyset = keyset_slot_acquire_keys(key_source_slot(source));
    keyset_release(keyset);
    return keyset != NULL;
}

/* The source with equal settings, NULL when there is none; *like is then one of the same place that has keys,
 * or NULL. The lock is held. */
static key_source_t *find_source(const refresher_t *refresher, const key_source_settings_t *settings,
                                 key_source_t **like)
{
    *like = NULL;
    for (const member_t *member = refresher->members; member != NULL; member = member->next) {
        const key_source_settings_t *others = key_source_settings(member->source);
        if (key_settings_equal(others, settings))
            return member->source;
        if (*like == NULL && key_settings_same_place(others, settings) && has_keys(member->source))
            *like = member->source;
    }
    return NULL;
}

keyset_slot_t *refresher_open(refresher_t *refresher, const key_source_settings_t *settings)
{
    keyset_slot_t *slot = NULL;
    key_source_t *like;
    member_t *member = malloc(sizeof(*member));
    if (member == NULL)
        return NULL;
    pthread_mutex_lock(&refresher->mutex);
    key_source_t *source = find_source(refresher, settings, &like);
    if (source != NULL) {
        slot = keyset_slot_acquire(key_source_slot(source));
    } else if (start(refresher) &&
               (source = key_source_new(settings, refresher->fetcher, wake, refresher, like)) != NULL) {
        slot = keyset_slot_acquire(key_source_slot(source));
        *member = (member_t){refresher->members, source};
        refresher->members = member;
        member = NULL;
    }
    pthread_mutex_unlock(&refresher->mutex);
    free(member);
    if (slot != NULL)
        fetcher_wake(refresher->fetcher);
    return slot;
}

bool refresher_is_settled(refresher_t *refresher)
{
    bool is_settled = true;
    pthread_mutex_lock(&refresher->mutex);
    for (const member_t *member = refresher->members; member != NULL; member = member->next)
        is_settled = is_settled && (!is_held(member) || key_source_is_settled(member->source));
    pthread_mutex_unlock(&refresher->mutex);
    return is_settled;
}
