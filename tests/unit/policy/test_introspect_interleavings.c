/*
 * A decision, swaps of the keys and a look into the cache in every order that their steps can have. The
 * linker routes the calls that the steps begin with through here (CMakeLists.txt), where each thread waits
 * for its turn.
 */
#include "introspect_fixture.h"

#include <limits.h>
#include <pthread.h>

enum { MAX_STEPS = 16 };

/* D decides: looks into the cache, reads the generation, takes the keys, puts the verdict. S swaps: up to the
 * lock, in it, after it. L looks into the cache. */
typedef enum actor { NOBODY, DECIDER, SWAPPER } actor_t;

static _Thread_local actor_t self;
static _Thread_local bool is_deciding;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turn_changed = PTHREAD_COND_INITIALIZER;
static char schedule[MAX_STEPS + 1];
static size_t turn; /* schedule[turn] may run */
static bool is_running;
static bool has_left[UCHAR_MAX + 1]; /* by the actor's letter */
static unsigned decider_steps;

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's. */
int __real_pthread_mutex_lock(pthread_mutex_t *locked);
int __wrap_pthread_mutex_lock(pthread_mutex_t *locked);
int __real_pthread_mutex_unlock(pthread_mutex_t *unlocked);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *unlocked);
uint64_t __real_keyset_slot_generation(const keyset_slot_t *slot);
uint64_t __wrap_keyset_slot_generation(const keyset_slot_t *slot);
keyset_t *__real_keyset_slot_acquire_keys(keyset_slot_t *slot);
keyset_t *__wrap_keyset_slot_acquire_keys(keyset_slot_t *slot);
void __real_cache_put(cache_t *cache, const digest_t *key, int64_t not_after_s, uint64_t generation,
                      uint32_t tag, slice_t value);
void __wrap_cache_put(cache_t *cache, const digest_t *key, int64_t not_after_s, uint64_t generation,
                      uint32_t tag, slice_t value);

static void wait_for_turn(char name)
{
    __real_pthread_mutex_lock(&mutex);
    while ((schedule[turn] != name && schedule[turn] != '\0') || is_running)
        pthread_cond_wait(&turn_changed, &mutex);
    is_running = true;
    decider_steps += name == 'D';
    __real_pthread_mutex_unlock(&mutex);
}

/* A schedule that has more or fewer steps than its actors take is played to its end all the same. */
static void end_turn_of(char leaving)
{
    __real_pthread_mutex_lock(&mutex);
    is_running = false;
    has_left[(unsigned char)leaving] = leaving != '\0';
    turn += schedule[turn] != '\0';
    while (schedule[turn] != '\0' && has_left[(unsigned char)schedule[turn]])
        turn++;
    pthread_cond_broadcast(&turn_changed);
    __real_pthread_mutex_unlock(&mutex);
}

static void end_turn(void)
{
    end_turn_of('\0');
}

/* A step ends where the next one of the same actor begins. */
static void next_step(actor_t actor, char name)
{
    if (self != actor)
        return;
    end_turn();
    wait_for_turn(name);
}

uint64_t __wrap_keyset_slot_generation(const keyset_slot_t *slot)
{
    if (is_deciding)
        next_step(DECIDER, 'D');
    return __real_keyset_slot_generation(slot);
}

keyset_t *__wrap_keyset_slot_acquire_keys(keyset_slot_t *slot)
{
    next_step(DECIDER, 'D');
    return __real_keyset_slot_acquire_keys(slot);
}

void __wrap_cache_put(cache_t *cache, const digest_t *key, int64_t not_after_s, uint64_t generation,
                      uint32_t tag, slice_t value)
{
    next_step(DECIDER, 'D');
    __real_cache_put(cache, key, not_after_s, generation, tag, value);
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *locked)
{
    next_step(SWAPPER, 'S');
    return __real_pthread_mutex_lock(locked);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *unlocked)
{
    int status = __real_pthread_mutex_unlock(unlocked);
    next_step(SWAPPER, 'S');
    return status;
}

/* NOLINTEND(bugprone-reserved-identifier) */

typedef struct scene {
    fixture_t *fixture;
    introspect_worker_t *deciding;
    const char *token;
    keyset_t *sets[2]; /* the one without the token's key, the one with it */
    bool has_key;      /* which of them stands */
    unsigned swap_count;
} scene_t;

static void *decide(void *data)
{
    scene_t *scene = data;
    digest_t key;
    introspect_verdict_t verdict;
    self = DECIDER;
    wait_for_turn('D');
    bool is_known = introspect_lookup(scene->deciding, scene->fixture->front, slice_of(scene->token), NOW_S,
                                      &key, &verdict);
    is_deciding = true;
    if (!is_known)
        introspect_decide(scene->deciding, scene->fixture->front, slice_of(scene->token), NOW_S, &key,
                          &verdict);
    is_deciding = false;
    end_turn_of('D');
    return NULL;
}

static void *swap(void *data)
{
    scene_t *scene = data;
    self = SWAPPER;
    for (unsigned i = 0; i < scene->swap_count; i++) {
        keyset_t *next = keyset_acquire(scene->sets[!scene->has_key]);
        wait_for_turn('S');
        keyset_slot_set_keys(scene->fixture->config->issuers[0].keys, next);
        scene->has_key = !scene->has_key;
        end_turn_of(i + 1 == scene->swap_count ? 'S' : '\0');
    }
    return NULL;
}

/* Whether the cache serves nothing but what the keys that stand would say. */
static bool cache_is_right(const scene_t *scene)
{
    digest_t key;
    introspect_verdict_t verdict;
    return !introspect_lookup(scene->fixture->worker, scene->fixture->front, slice_of(scene->token), NOW_S,
                              &key, &verdict) ||
           (verdict.outcome == INTROSPECT_ACTIVE) == scene->has_key;
}

/* Of the three steps of S the second changes the keys and the third the generation: between them either
 * answer may be given. */
static bool is_swapping(size_t at)
{
    unsigned count = 0;
    for (size_t i = 0; i < at; i++)
        count += schedule[i] == 'S';
    return count % 3 == 2;
}

static void play(scene_t *scene, bool begins_with_key)
{
    scene->has_key = begins_with_key;
    keyset_slot_set_keys(scene->fixture->config->issuers[0].keys,
                         keyset_acquire(scene->sets[begins_with_key]));
    turn = 0;
    decider_steps = 0;
    memset(has_left, 0, sizeof(has_left));
    pthread_t decider;
    pthread_t swapper;
    assert_int_equal(pthread_create(&decider, NULL, decide, scene), 0);
    assert_int_equal(pthread_create(&swapper, NULL, swap, scene), 0);
    bool is_right = true;
    if (strchr(schedule, 'L') != NULL) {
        wait_for_turn('L');
        is_right = is_swapping(turn) || cache_is_right(scene);
        end_turn();
    }
    pthread_join(decider, NULL);
    pthread_join(swapper, NULL);
    assert_int_equal(decider_steps, 4);
    if (!is_right || !cache_is_right(scene))
        fail_msg("%s, %s the key at first: a verdict of other keys is served", schedule,
                 begins_with_key ? "with" : "without");
}

/* Every order of what is left of each actor's steps, behind the first len. */
static unsigned play_all(scene_t *scene, size_t len, unsigned decisions, unsigned swaps, unsigned looks)
{
    if (decisions + swaps + looks == 0) {
        schedule[len] = '\0';
        play(scene, true);
        play(scene, false);
        return 2;
    }
    unsigned count = 0;
    if (decisions > 0) {
        schedule[len] = 'D';
        count += play_all(scene, len + 1, decisions - 1, swaps, looks);
    }
    if (swaps > 0) {
        schedule[len] = 'S';
        count += play_all(scene, len + 1, decisions, swaps - 1, looks);
    }
    if (looks > 0) {
        schedule[len] = 'L';
        count += play_all(scene, len + 1, decisions, swaps, looks - 1);
    }
    return count;
}

static keyset_t *keyset_of(const private_key_t *key)
{
    char *text = jwks_of(key);
    const char *error;
    keyset_t *keys = keyset_parse(slice_of(text), NULL, NULL, &error);
    assert_non_null(keys);
    free(text);
    return keys;
}

static void no_order_serves_a_verdict_of_other_keys(void **state)
{
    fixture_t *fixture = *state;
    char *token = good_token(fixture, NOW_S + 30, "");
    scene_t scene = {.fixture = fixture,
                     .token = token,
                     .deciding = introspect_worker_new(fixture->introspector),
                     .sets = {keyset_of(fixture->other_key), keyset_of(fixture->key)}};
    assert_non_null(scene.deciding);
    scene.swap_count = 1;
    assert_int_equal(play_all(&scene, 0, 4, 3, 1), 2 * 280);
    scene.swap_count = 2;
    assert_int_equal(play_all(&scene, 0, 4, 6, 0), 2 * 210);
    introspect_worker_free(scene.deciding);
    keyset_release(scene.sets[0]);
    keyset_release(scene.sets[1]);
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_order_serves_a_verdict_of_other_keys, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
