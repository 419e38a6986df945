#include "peer_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

enum { THREADS = 4, KEYS = 256, ROUNDS = 40000, MAX_PER_ADDRESS = 3, MAX_ADDRESSES = 200 };

static peer_table_t *table;
static atomic_int held[KEYS];
static atomic_int excess;
static atomic_int refused;

static peer_key_t key_of(unsigned number)
{
    return (peer_key_t){.bytes = {0x20, 0x01, (unsigned char)(number >> 8), (unsigned char)number}};
}

static void leave(unsigned number)
{
    peer_key_t key = key_of(number);
    atomic_fetch_sub(&held[number], 1);
    peer_table_remove(table, &key);
}

/* How many are held at once is counted beside the table: never more than in it. */
static void *come_and_go(void *data)
{
    unsigned random = *(const unsigned *)data;
    bool has[KEYS] = {false};
    for (int round = 0; round < ROUNDS; round++) {
        random = random * 1103515245 + 12345;
        unsigned number = (random >> 16) % KEYS;
        peer_key_t key = key_of(number);
        if (has[number]) {
            leave(number);
            has[number] = false;
        } else if (peer_table_add(table, &key, MAX_PER_ADDRESS)) {
            has[number] = true;
            if (atomic_fetch_add(&held[number], 1) >= MAX_PER_ADDRESS)
                atomic_fetch_add(&excess, 1);
        } else {
            atomic_fetch_add(&refused, 1);
        }
    }
    for (unsigned number = 0; number < KEYS; number++) {
        if (has[number])
            leave(number);
    }
    return NULL;
}

static void keeps_its_bounds_between_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    table = peer_table_new(MAX_ADDRESSES);
    assert_non_null(table);
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &seeds[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(excess, 0);
    assert_true(refused > 0);
    for (unsigned number = 0; number < KEYS; number++) {
        peer_key_t key = key_of(number);
        assert_int_equal(peer_table_count(table, &key), 0);
    }
    peer_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_its_bounds_between_threads),
    };

    return cmocka_run_group_tests_name("peer_table_threads", tests, NULL, NULL);
}
