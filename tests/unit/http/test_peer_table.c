#include "failing_alloc.h"
#include "peer_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1000000 };

static uint64_t random_state;

/* splitmix64: the same run each time. */
static uint64_t random_next(void)
{
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static peer_key_t key_of(const char *text)
{
    ip_address_t address;
    assert_true(ip_address_parse(slice_of(text), &address));
    return peer_key_of(address);
}

/* The key's bytes as the text of an IPv6 address. */
static void assert_key(peer_key_t key, const char *expected)
{
    struct in6_addr address;
    assert_int_equal(inet_pton(AF_INET6, expected, &address), 1);
    assert_memory_equal(key.bytes, &address, sizeof(key.bytes));
}

/* Another /64 for each. */
static peer_key_t key_of_number(uint32_t number)
{
    peer_key_t key = {.bytes = {0x20, 0x01, 0x0d, 0xb8}};
    number = htonl(number);
    memcpy(key.bytes + sizeof(number), &number, sizeof(number));
    return key;
}

static peer_table_t *new_table(size_t max_addresses)
{
    peer_table_t *table = peer_table_new(max_addresses);
    assert_non_null(table);
    return table;
}

static void counts_ipv4_by_address(void **state)
{
    (void)state;
    assert_key(key_of("192.0.2.1"), "::ffff:192.0.2.1");
    assert_key(key_of("0.0.0.0"), "::ffff:0.0.0.0");
    assert_key(key_of("255.255.255.255"), "::ffff:255.255.255.255");
}

static void counts_mapped_ipv4_like_ipv4(void **state)
{
    (void)state;
    assert_key(key_of("::ffff:192.0.2.1"), "::ffff:192.0.2.1");
    assert_key(key_of("::ffff:192.0.2.2"), "::ffff:192.0.2.2");
}

static void counts_ipv6_by_its_first_64_bits(void **state)
{
    (void)state;
    assert_key(key_of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_key(key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"), "2001:db8:1:2::");
    assert_key(key_of("2001:db8:1:3::1"), "2001:db8:1:3::");
    assert_key(key_of("::1"), "::");
    /* Nearly mapped. */
    assert_key(key_of("::fffe:192.0.2.1"), "::");
    assert_key(key_of("::1:ffff:192.0.2.1"), "::");
}

static void counts_peers_without_an_address_together(void **state)
{
    (void)state;
    assert_key(peer_key_of((ip_address_t){0}), "::");
}

static void keeps_an_address_within_its_bound(void **state)
{
    (void)state;
    peer_table_t *table = new_table(10);
    peer_key_t one = key_of_number(1);
    peer_key_t other = key_of_number(2);
    for (uint32_t count = 1; count <= 3; count++) {
        assert_true(peer_table_add(table, &one, 3));
        assert_int_equal(peer_table_count(table, &one), count);
    }
    assert_false(peer_table_add(table, &one, 3));
    assert_int_equal(peer_table_count(table, &one), 3);
    assert_true(peer_table_add(table, &other, 3));
    peer_table_remove(table, &one);
    assert_true(peer_table_add(table, &one, 3));
    /* The bound may change: those there are stay. */
    assert_false(peer_table_add(table, &one, 1));
    assert_true(peer_table_add(table, &one, 4));
    assert_int_equal(peer_table_count(table, &one), 4);
    peer_table_free(table);
}

static void takes_nobody_at_a_bound_of_zero(void **state)
{
    (void)state;
    peer_key_t key = key_of_number(1);
    peer_table_t *table = new_table(10);
    assert_false(peer_table_add(table, &key, 0));
    assert_int_equal(peer_table_count(table, &key), 0);
    peer_table_free(table);
    table = new_table(0);
    assert_false(peer_table_add(table, &key, 1));
    peer_table_free(table);
    peer_table_free(NULL);
}

static void keeps_the_number_of_addresses_within_its_bound(void **state)
{
    (void)state;
    peer_table_t *table = new_table(100);
    peer_key_t key;
    for (uint32_t number = 0; number < 100; number++) {
        key = key_of_number(number);
        assert_true(peer_table_add(table, &key, 2));
    }
    peer_key_t late = key_of_number(100);
    assert_false(peer_table_add(table, &late, 2));
    /* One that is there already may have its second. */
    assert_true(peer_table_add(table, &key, 2));
    peer_table_remove(table, &key);
    assert_false(peer_table_add(table, &late, 2));
    peer_table_remove(table, &key);
    assert_true(peer_table_add(table, &late, 2));
    peer_table_free(table);
}

static void removing_what_is_not_there_changes_nothing(void **state)
{
    (void)state;
    peer_table_t *table = new_table(10);
    peer_key_t one = key_of_number(1);
    peer_key_t other = key_of_number(2);
    assert_true(peer_table_add(table, &one, 5));
    peer_table_remove(table, &other);
    assert_int_equal(peer_table_count(table, &one), 1);
    peer_table_remove(table, &one);
    peer_table_remove(table, &one);
    assert_int_equal(peer_table_count(table, &one), 0);
    assert_true(peer_table_add(table, &one, 1));
    peer_table_free(table);
}

static void run_model(int keys, size_t max_addresses, uint32_t max_per_address, int operations)
{
    peer_table_t *table = new_table(max_addresses);
    uint32_t *model = calloc((size_t)keys, sizeof(*model));
    size_t len = 0;
    int refused = 0;
    int emptied = 0;
    assert_non_null(model);
    for (int i = 0; i < operations; i++) {
        int id = (int)(random_next() % (uint64_t)keys);
        peer_key_t key = key_of_number((uint32_t)id);
        /* Filling and emptying take turns, so that the table grows and shrinks. */
        bool is_filling = i / (4 * keys) % 2 == 0;
        if (random_next() % 10 < (is_filling ? 8 : 2)) {
            bool has_room = model[id] < max_per_address && (model[id] > 0 || len < max_addresses);
            assert_int_equal(peer_table_add(table, &key, max_per_address), has_room);
            len += has_room && model[id] == 0;
            model[id] += has_room;
            refused += !has_room;
        } else {
            peer_table_remove(table, &key);
            len -= model[id] == 1;
            emptied += model[id] == 1;
            model[id] -= model[id] > 0;
        }
        assert_int_equal(peer_table_count(table, &key), model[id]);
        if (i % (2 * keys) != 0)
            continue;
        for (int other = 0; other < keys; other++) {
            key = key_of_number((uint32_t)other);
            assert_int_equal(peer_table_count(table, &key), model[other]);
        }
    }
    assert_true(refused > operations / 100);
    assert_true(emptied > operations / 100);
    free(model);
    peer_table_free(table);
}

static void agrees_with_the_model(void **state)
{
    (void)state;
    random_state = 1;
    run_model(10, 8, 3, 100000);
    run_model(40, 40, 2, 200000);
    run_model(500, 300, 2, 200000);
    run_model(5000, 4500, 3, 400000);
}

static void is_not_made_without_memory(void **state)
{
    (void)state;
    for (unsigned passing = 0; passing < 2; passing++) {
        failing_alloc_arm(passing);
        peer_table_t *table = peer_table_new(10);
        assert_true(failing_alloc_disarm());
        assert_null(table);
    }
}

static void stays_whole_without_memory_to_grow(void **state)
{
    (void)state;
    peer_table_t *table = new_table(MANY);
    uint32_t refused = 0;
    for (uint32_t number = 0; number < 1000; number++) {
        peer_key_t key = key_of_number(number);
        failing_alloc_arm(0);
        bool is_added = peer_table_add(table, &key, 1);
        bool has_failed = failing_alloc_disarm();
        assert_int_equal(is_added, !has_failed);
        refused += has_failed;
        assert_int_equal(peer_table_count(table, &key), is_added);
        if (has_failed)
            assert_true(peer_table_add(table, &key, 1));
    }
    assert_true(refused > 0);
    for (uint32_t number = 0; number < 1000; number++) {
        peer_key_t key = key_of_number(number);
        assert_int_equal(peer_table_count(table, &key), 1);
    }
    peer_table_free(table);
}

static void stays_whole_without_memory_to_shrink(void **state)
{
    (void)state;
    peer_table_t *table = new_table(MANY);
    int failed = 0;
    for (uint32_t number = 0; number < 1000; number++) {
        peer_key_t key = key_of_number(number);
        assert_true(peer_table_add(table, &key, 1));
    }
    for (uint32_t number = 0; number < 1000; number++) {
        peer_key_t key = key_of_number(number);
        failing_alloc_arm(0);
        peer_table_remove(table, &key);
        failed += failing_alloc_disarm();
        assert_int_equal(peer_table_count(table, &key), 0);
        key = key_of_number(999);
        assert_int_equal(peer_table_count(table, &key), number < 999);
    }
    assert_true(failed > 0);
    peer_table_free(table);
}

/* Of keys one after the other, as somebody makes them who has a /32. */
static void holds_a_million_addresses(void **state)
{
    (void)state;
    peer_table_t *table = new_table(MANY);
    for (uint32_t number = 0; number < MANY; number++) {
        peer_key_t key = key_of_number(number);
        assert_true(peer_table_add(table, &key, 1));
    }
    for (uint32_t number = 0; number < MANY; number++) {
        peer_key_t key = key_of_number(number);
        assert_int_equal(peer_table_count(table, &key), 1);
        peer_table_remove(table, &key);
        assert_int_equal(peer_table_count(table, &key), 0);
    }
    peer_table_free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_ipv4_by_address),
        cmocka_unit_test(counts_mapped_ipv4_like_ipv4),
        cmocka_unit_test(counts_ipv6_by_its_first_64_bits),
        cmocka_unit_test(counts_peers_without_an_address_together),
        cmocka_unit_test(keeps_an_address_within_its_bound),
        cmocka_unit_test(takes_nobody_at_a_bound_of_zero),
        cmocka_unit_test(keeps_the_number_of_addresses_within_its_bound),
        cmocka_unit_test(removing_what_is_not_there_changes_nothing),
        cmocka_unit_test(agrees_with_the_model),
        cmocka_unit_test(is_not_made_without_memory),
        cmocka_unit_test(stays_whole_without_memory_to_grow),
        cmocka_unit_test(stays_whole_without_memory_to_shrink),
        cmocka_unit_test(holds_a_million_addresses),
    };

    return cmocka_run_group_tests_name("peer_table", tests, NULL, NULL);
}
