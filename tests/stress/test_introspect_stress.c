/*
 * Several threads introspect for several clients and issuers while key sets are swapped under them and the
 * clock moves on: no answer may come past its token's exp, under another client, or of keys that were gone
 * before it was asked for.
 */
#include "introspect_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 3, TOKENS_AN_ISSUER = 12, ROTATIONS = 150, LIFE_S = 40 };

/* What every thread sees. Keys alternate by issuer: an odd phase says that they stand still. */
typedef struct run {
    fixture_t *fixture;
    char *tokens[2][TOKENS_AN_ISSUER];
    int64_t exp_s[TOKENS_AN_ISSUER];
    _Atomic unsigned phases[2];
    _Atomic int64_t now_s;
    _Atomic bool is_over;
    _Atomic unsigned wrong_count;
    _Atomic unsigned active_count;
    _Atomic unsigned cached_count;
    _Atomic unsigned expired_count;
} run_t;

/* 4n + 1: the other key, 4n + 3: the key that the tokens are signed with. */
static bool has_key(unsigned phase)
{
    return phase % 4 == 3;
}

static bool answers_to(const introspect_verdict_t *verdict, const client_t *client, const run_t *run)
{
    /* Each client's answer has members that the other's has not. */
    const char *mark = client == run->fixture->rs ? "\"exp\"" : "front_channel_name";
    return memmem(verdict->answer.base, verdict->answer.len, mark, strlen(mark)) != NULL;
}

/* Whether the verdict can stand, given what stood all the time while it was made. */
static bool is_right(run_t *run, const introspect_verdict_t *verdict, const client_t *client, size_t issuer,
                     size_t token, unsigned phase, int64_t now_s)
{
    bool may_ask = client == run->fixture->rs || issuer == 0;
    int64_t leeway_s = run->fixture->config->issuers[issuer].rules.leeway_s;
    bool is_dead = now_s >= run->exp_s[token] + leeway_s;
    bool is_settled = phase % 2 == 1 && atomic_load(&run->phases[issuer]) == phase;
    if (verdict->outcome == INTROSPECT_ACTIVE)
        return may_ask && !is_dead && answers_to(verdict, client, run) &&
               !(verdict->is_from_cache && now_s >= run->exp_s[token]) && (!is_settled || has_key(phase));
    /* A good token is not refused either, nor by a verdict of keys that are gone. */
    return !may_ask || is_dead || !is_settled || !has_key(phase);
}

typedef struct asker {
    run_t *run;
    uint64_t random;
    pthread_t thread;
} asker_t;

static uint64_t random_below(asker_t *asker, uint64_t bound)
{
    asker->random = asker->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (asker->random >> 33) % bound;
}

static void *ask(void *data)
{
    asker_t *asker = data;
    run_t *run = asker->run;
    introspect_worker_t *worker = introspect_worker_new(run->fixture->introspector);
    while (worker != NULL && !atomic_load(&run->is_over)) {
        size_t issuer = random_below(asker, 2);
        size_t token = random_below(asker, TOKENS_AN_ISSUER);
        const client_t *client = random_below(asker, 2) == 0 ? run->fixture->front : run->fixture->rs;
        unsigned phase = atomic_load(&run->phases[issuer]);
        int64_t now_s = atomic_load(&run->now_s);
        introspect_verdict_t verdict = introspect(worker, client, run->tokens[issuer][token], now_s);
        if (!is_right(run, &verdict, client, issuer, token, phase, now_s))
            atomic_fetch_add(&run->wrong_count, 1);
        atomic_fetch_add(&run->active_count, verdict.outcome == INTROSPECT_ACTIVE);
        atomic_fetch_add(&run->cached_count, verdict.is_from_cache);
        atomic_fetch_add(&run->expired_count, verdict.reason == REASON_EXPIRED);
    }
    introspect_worker_free(worker);
    return NULL;
}

static void make_tokens(run_t *run)
{
    for (size_t i = 0; i < TOKENS_AN_ISSUER; i++) {
        run->exp_s[i] = NOW_S + LIFE_S * (int64_t)(i + 1) / TOKENS_AN_ISSUER;
        run->tokens[0][i] = good_token(run->fixture, run->exp_s[i], "");
        char payload[128];
        snprintf(payload, sizeof(payload), "{\"iss\":\"https://other.example/\",\"exp\":%lld}",
                 (long long)run->exp_s[i]);
        run->tokens[1][i] = sign(run->fixture->key, HEADER, payload);
    }
}

static void swap_keys(run_t *run, size_t issuer, const private_key_t *key)
{
    char *text = jwks_of(key);
    const char *error;
    keyset_t *keys = keyset_parse(slice_of(text), NULL, NULL, &error);
    assert_non_null(keys);
    free(text);
    atomic_fetch_add(&run->phases[issuer], 1);
    keyset_slot_set_keys(run->fixture->config->issuers[issuer].keys, keys);
    atomic_fetch_add(&run->phases[issuer], 1);
}

static void no_answer_is_stale_or_another_s(void **state)
{
    run_t run = {.fixture = *state, .phases = {3, 3}, .now_s = NOW_S};
    asker_t askers[THREADS];
    make_tokens(&run);
    for (unsigned i = 0; i < THREADS; i++) {
        askers[i] = (asker_t){.run = &run, .random = i};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
    }
    for (unsigned i = 0; i < ROTATIONS; i++) {
        size_t issuer = i % 2;
        swap_keys(&run, issuer, i / 2 % 2 == 0 ? run.fixture->other_key : run.fixture->key);
        usleep(2000);
        /* To the end of the longest token's life and beyond. */
        if (i % 3 == 0)
            atomic_fetch_add(&run.now_s, 1);
    }
    atomic_store(&run.is_over, true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(askers[i].thread, NULL);
    for (size_t i = 0; i < TOKENS_AN_ISSUER; i++) {
        free(run.tokens[0][i]);
        free(run.tokens[1][i]);
    }
    assert_int_equal(run.wrong_count, 0);
    /* Otherwise the run has shown nothing. */
    assert_true(run.active_count > 100 && run.cached_count > 100 && run.expired_count > 10);
    print_message("%u active, %u from the cache, %u expired\n", run.active_count, run.cached_count,
                  run.expired_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(no_answer_is_stale_or_another_s, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
