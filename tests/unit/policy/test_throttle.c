/*
 * Failed authentications: how many are free, when more are, whose bucket they come out of, and that no
 * number of other addresses or clients makes a bucket forget.
 */
#include "introspectd/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { MINUTE_MS = 60000, MAX_CLIENTS_OF_A_CONFIG = 4096, SPRAYED = 100000, THREADS = 4 };

static const int64_t START_MS = 123456789;

typedef struct who {
    throttle_t *throttle;
    const char *address; /* NULL: none */
    const char *client;  /* NULL: none */
    unsigned failures_a_minute;
    int64_t now_ms;
} who_t;

static ip_address_t parse(const char *text)
{
    ip_address_t address = {0};
    if (text != NULL)
        assert_true(ip_address_parse(slice_of(text), &address));
    return address;
}

static throttle_attempt_t attempt_of(const who_t *who)
{
    throttle_attempt_t attempt = {
        .peer = parse(who->address), .failures_a_minute = who->failures_a_minute, .now_ms = who->now_ms};
    if (who->client != NULL)
        attempt.client_id = slice_of(who->client);
    return attempt;
}

static unsigned charge(const who_t *who)
{
    throttle_attempt_t attempt = attempt_of(who);
    return throttle_charge(who->throttle, &attempt);
}

static unsigned refuses(const who_t *who)
{
    throttle_attempt_t attempt = attempt_of(who);
    return throttle_refuses(who->throttle, &attempt);
}

/* Fails until it is not free any more, and gives the number of times that it was. */
static unsigned exhaust(const who_t *who)
{
    unsigned free_count = 0;
    while (charge(who) == 0) {
        free_count++;
        assert_in_range(free_count, 1, who->failures_a_minute);
    }
    return free_count;
}

static who_t who_in(void **state, const char *address, const char *client, unsigned failures_a_minute)
{
    return (who_t){*state, address, client, failures_a_minute, START_MS};
}

static void test_as_many_are_free_as_configured(void **state)
{
    static const unsigned LIMITS[] = {1, 2, 3, 7, 100, 9973, 99991};
    for (unsigned i = 0; i < sizeof(LIMITS) / sizeof(LIMITS[0]); i++) {
        char name[32];
        snprintf(name, sizeof(name), "10.0.0.%u", i);
        who_t by_address = who_in(state, name, NULL, LIMITS[i]);
        who_t by_client = who_in(state, NULL, name, LIMITS[i]);
        assert_int_equal(exhaust(&by_address), LIMITS[i]);
        assert_int_equal(exhaust(&by_client), LIMITS[i]);
    }
    who_t most = who_in(state, "192.0.2.1", NULL, 1000000);
    assert_int_equal(exhaust(&most), 1000000);
}

static void test_room_comes_back_evenly(void **state)
{
    who_t who = who_in(state, "192.0.2.1", "front", 10);
    assert_int_equal(exhaust(&who), 10);
    assert_int_equal(charge(&who), 6);
    who.now_ms += 5000;
    assert_int_equal(refuses(&who), 1);
    who.now_ms += 999;
    assert_int_equal(refuses(&who), 1);
    assert_int_equal(charge(&who), 1);
    /* What was answered with 429 was not charged again. */
    who.now_ms += 1;
    assert_int_equal(refuses(&who), 0);
    assert_int_equal(exhaust(&who), 1);
    who.now_ms += MINUTE_MS / 2;
    assert_int_equal(exhaust(&who), 5);
    /* No more is saved up than a minute's worth. */
    who.now_ms += 100 * (int64_t)MINUTE_MS;
    assert_int_equal(exhaust(&who), 10);
}

static void test_retry_after_is_when_there_is_room(void **state)
{
    static const unsigned LIMITS[] = {1, 7, 60, 100, 1000000};
    for (unsigned i = 0; i < sizeof(LIMITS) / sizeof(LIMITS[0]); i++) {
        char name[32];
        snprintf(name, sizeof(name), "client-%u", i);
        who_t who = who_in(state, NULL, name, LIMITS[i]);
        exhaust(&who);
        unsigned retry_after_s = refuses(&who);
        assert_in_range(retry_after_s, 1, 61);
        who.now_ms += (int64_t)retry_after_s * 1000;
        assert_int_equal(refuses(&who), 0);
    }
    who_t who = who_in(state, NULL, "one a minute", 1);
    assert_int_equal(charge(&who), 0);
    assert_int_equal(charge(&who), 60);
}

static void test_asking_charges_nothing(void **state)
{
    who_t who = who_in(state, "192.0.2.1", "front", 3);
    for (int i = 0; i < 100; i++)
        assert_int_equal(refuses(&who), 0);
    assert_int_equal(exhaust(&who), 3);
}

static void test_either_bucket_throttles(void **state)
{
    who_t who = who_in(state, "192.0.2.1", "front", 5);
    who_t from_elsewhere = who_in(state, "192.0.2.2", "front", 5);
    who_t another_client = who_in(state, "192.0.2.1", "rs", 5);
    who_t unknown_client = who_in(state, "192.0.2.1", NULL, 5);
    who_t others = who_in(state, "192.0.2.2", "rs", 5);
    exhaust(&who);
    assert_true(refuses(&from_elsewhere) > 0);
    assert_true(refuses(&another_client) > 0);
    assert_true(refuses(&unknown_client) > 0);
    assert_int_equal(refuses(&others), 0);
    /* What one bucket throttles is charged to the other, too. */
    assert_true(charge(&from_elsewhere) > 0);
    assert_true(charge(&another_client) > 0);
    assert_int_equal(exhaust(&others), 4);
}

static void test_zero_turns_it_off(void **state)
{
    who_t who = who_in(state, "192.0.2.1", "front", 1);
    exhaust(&who);
    who.failures_a_minute = 0;
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(charge(&who), 0);
        assert_int_equal(refuses(&who), 0);
    }
    who.failures_a_minute = 1;
    assert_true(refuses(&who) > 0);
}

static void test_another_budget_after_a_reload(void **state)
{
    who_t who = who_in(state, "192.0.2.1", NULL, 100);
    exhaust(&who);
    who.failures_a_minute = 10;
    assert_true(refuses(&who) > 0);
    who.now_ms += MINUTE_MS / 2;
    assert_int_equal(exhaust(&who), 5);
    who.failures_a_minute = 100;
    assert_true(refuses(&who) > 0);
}

/* Every one of same is one peer, none of others is. */
static void assert_one_peer(void **state, const char *const *same, const char *const *others)
{
    who_t who = who_in(state, same[0], NULL, 3);
    exhaust(&who);
    for (; *same != NULL; same++) {
        who.address = *same;
        assert_true(refuses(&who) > 0);
    }
    for (; *others != NULL; others++) {
        who.address = *others;
        assert_int_equal(refuses(&who), 0);
    }
}

static void test_ipv6_counts_by_64_bits(void **state)
{
    static const char *const SAME[] = {"2001:db8:1:2::1",
                                       "2001:db8:1:2::", "2001:db8:1:2:ffff:ffff:ffff:ffff", NULL};
    static const char *const OTHERS[] = {
        "2001:db8:1:3::1", "2001:db8:1:0::1", "2001:db8:2:2::1", "32.1.13.184", "::1", NULL};
    assert_one_peer(state, SAME, OTHERS);
}

static void test_ipv4_counts_whole_in_either_spelling(void **state)
{
    static const char *const SAME[] = {"192.0.2.77", "::ffff:192.0.2.77", NULL};
    static const char *const OTHERS[] = {"192.0.2.76", "::ffff:192.0.2.76", "::192.0.2.77", "77.2.0.192",
                                         NULL};
    assert_one_peer(state, SAME, OTHERS);
}

static void test_without_address_the_client_is_charged(void **state)
{
    throttle_attempt_t nobody = {.failures_a_minute = 1, .now_ms = START_MS};
    throttle_attempt_t client = nobody;
    client.client_id = slice_of("front");
    for (int times = 0; times < 100; times++)
        assert_int_equal(throttle_charge(*state, &nobody), 0);
    assert_int_equal(throttle_charge(*state, &client), 0);
    assert_true(throttle_charge(*state, &client) > 0);
}

/* A client named like the bytes of an address is not that address. */
static void test_clients_and_addresses_are_apart(void **state)
{
    who_t address = who_in(state, "49.50.51.52", NULL, 1);
    who_t client = who_in(state, NULL, "1234", 1);
    exhaust(&address);
    assert_int_equal(refuses(&client), 0);
}

/* From ever more addresses, each of which fails a few times. The number of failures that were free. */
static unsigned spray(throttle_t *throttle, const char *client, unsigned addresses, int64_t now_ms)
{
    unsigned char bytes[16] = {0};
    throttle_attempt_t attempt = {.failures_a_minute = 100, .now_ms = now_ms};
    if (client != NULL)
        attempt.client_id = slice_of(client);
    unsigned charged = 0;
    for (uint32_t i = 1; i <= addresses; i++) {
        memcpy(bytes, &i, sizeof(i));
        attempt.peer = ip_address_from_v6(bytes);
        for (int times = 0; times < 3; times++)
            charged += throttle_charge(throttle, &attempt) == 0;
    }
    return charged;
}

static void test_a_spray_of_addresses_frees_nobody(void **state)
{
    who_t client = who_in(state, NULL, "front", 100);
    who_t address = who_in(state, "192.0.2.1", NULL, 100);
    exhaust(&client);
    exhaust(&address);
    assert_int_equal(spray(*state, NULL, SPRAYED, START_MS), 3 * SPRAYED);
    assert_true(refuses(&client) > 0);
    assert_true(refuses(&address) > 0);
    /* What was taken comes back all the same. */
    client.now_ms = address.now_ms = START_MS + MINUTE_MS;
    assert_int_equal(exhaust(&client), 100);
    assert_int_equal(exhaust(&address), 100);
}

static void test_a_sprayed_client_is_throttled_from_everywhere(void **state)
{
    who_t from_elsewhere = who_in(state, "192.0.2.1", "front", 100);
    assert_int_equal(spray(*state, "front", SPRAYED, START_MS), 100);
    assert_true(refuses(&from_elsewhere) > 0);
}

/* A new address finds a place among those that are all in use. */
static void test_a_new_address_is_charged_in_a_full_table(void **state)
{
    assert_int_equal(spray(*state, NULL, SPRAYED, START_MS), 3 * SPRAYED);
    who_t address = who_in(state, "192.0.2.1", NULL, 100);
    assert_int_equal(exhaust(&address), 100);
    assert_true(refuses(&address) > 0);
}

static const char *client_name(unsigned i)
{
    static char name[32];
    snprintf(name, sizeof(name), "client-%u", i);
    return name;
}

static void test_every_client_keeps_its_bucket(void **state)
{
    for (unsigned i = 0; i < MAX_CLIENTS_OF_A_CONFIG; i++) {
        who_t who = who_in(state, NULL, client_name(i), 3);
        assert_int_equal(exhaust(&who), 3);
    }
    for (unsigned i = 0; i < MAX_CLIENTS_OF_A_CONFIG; i++) {
        who_t who = who_in(state, NULL, client_name(i), 3);
        assert_true(refuses(&who) > 0);
    }
}

typedef struct racer {
    throttle_t *throttle;
    unsigned number;
    atomic_uint *free_count;
} racer_t;

static void *race(void *data)
{
    enum { TIMES = 2000 };
    const racer_t *racer = data;
    char own_address[32];
    snprintf(own_address, sizeof(own_address), "10.1.0.%u", racer->number);
    who_t shared = {racer->throttle, NULL, "front", 1000, START_MS};
    who_t own = {racer->throttle, own_address, NULL, TIMES, START_MS};
    for (int i = 0; i < TIMES; i++) {
        *racer->free_count += charge(&shared) == 0;
        (void)refuses(&shared);
        if (charge(&own) != 0)
            return NULL;
    }
    return data;
}

static void test_threads_share_one_budget(void **state)
{
    pthread_t threads[THREADS];
    racer_t racers[THREADS];
    atomic_uint free_count = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        racers[i] = (racer_t){*state, i, &free_count};
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        void *result;
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_non_null(result);
    }
    assert_int_equal(free_count, 1000);
}

static int setup(void **state)
{
    *state = throttle_new();
    return *state == NULL;
}

static int teardown(void **state)
{
    throttle_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_as_many_are_free_as_configured, setup, teardown),
        cmocka_unit_test_setup_teardown(test_room_comes_back_evenly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_retry_after_is_when_there_is_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_asking_charges_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_either_bucket_throttles, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zero_turns_it_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_budget_after_a_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv6_counts_by_64_bits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv4_counts_whole_in_either_spelling, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_address_the_client_is_charged, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clients_and_addresses_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_spray_of_addresses_frees_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_sprayed_client_is_throttled_from_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_new_address_is_charged_in_a_full_table, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_client_keeps_its_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads_share_one_budget, setup, teardown),
    };
    return cmocka_run_group_tests_name("throttle", tests, NULL, NULL);
}
