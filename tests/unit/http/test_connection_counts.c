#include "connection_counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static ip_address_t address_of(const char *text)
{
    ip_address_t address;
    assert_true(ip_address_parse(slice_of(text), &address));
    return address;
}

static connection_counts_t *new_counts(unsigned max)
{
    connection_counts_t *counts = connection_counts_new(max);
    assert_non_null(counts);
    return counts;
}

static void keeps_to_the_number_in_all(void **state)
{
    (void)state;
    connection_counts_t *counts = new_counts(10);
    connection_count_t connections[3] = {{0}};
    assert_true(connection_count_in(counts, &connections[0], 2));
    assert_true(connection_count_in(counts, &connections[1], 2));
    assert_false(connection_count_in(counts, &connections[2], 2));
    assert_int_equal(connection_counts_total(counts), 2);
    /* One that was refused leaves too. */
    connection_count_leave(counts, &connections[2]);
    assert_int_equal(connection_counts_total(counts), 2);
    connection_count_leave(counts, &connections[0]);
    assert_int_equal(connection_counts_total(counts), 1);
    assert_true(connection_count_in(counts, &connections[2], 2));
    connection_count_leave(counts, &connections[1]);
    connection_count_leave(counts, &connections[2]);
    assert_int_equal(connection_counts_total(counts), 0);
    connection_counts_free(counts);
}

static void keeps_to_the_number_of_an_address(void **state)
{
    (void)state;
    connection_counts_t *counts = new_counts(10);
    connection_count_t first = {0};
    connection_count_t second = {0};
    connection_count_t other = {0};
    assert_true(connection_count_in(counts, &first, 10));
    assert_true(connection_count_in(counts, &second, 10));
    assert_true(connection_count_in(counts, &other, 10));
    assert_true(connection_count_for_address(counts, &first, address_of("2001:db8::1"), 1));
    assert_false(connection_count_for_address(counts, &second, address_of("2001:db8::2"), 1));
    assert_true(connection_count_for_address(counts, &other, address_of("2001:db8:0:1::1"), 1));
    /* The refused one takes nothing of the others' with it. */
    connection_count_leave(counts, &second);
    assert_int_equal(connection_counts_total(counts), 2);
    assert_false(connection_count_for_address(counts, &second, address_of("2001:db8::2"), 1));
    connection_count_leave(counts, &second);
    connection_count_leave(counts, &first);
    assert_true(connection_count_for_address(counts, &second, address_of("2001:db8::2"), 1));
    connection_count_leave(counts, &second);
    connection_count_leave(counts, &other);
    assert_int_equal(connection_counts_total(counts), 0);
    connection_counts_free(counts);
}

static void leaving_twice_is_leaving_once(void **state)
{
    (void)state;
    connection_counts_t *counts = new_counts(10);
    connection_count_t stays = {0};
    connection_count_t leaves = {0};
    ip_address_t address = address_of("192.0.2.1");
    assert_true(connection_count_in(counts, &stays, 2));
    assert_true(connection_count_for_address(counts, &stays, address, 2));
    assert_true(connection_count_in(counts, &leaves, 2));
    assert_true(connection_count_for_address(counts, &leaves, address, 2));
    connection_count_leave(counts, &leaves);
    connection_count_leave(counts, &leaves);
    assert_int_equal(connection_counts_total(counts), 1);
    assert_false(connection_count_for_address(counts, &leaves, address, 1));
    connection_count_leave(counts, &stays);
    connection_counts_free(counts);
}

/* Whoever is above a bound that was lowered stays, and nobody comes until enough have left. */
static void follows_a_bound_that_changes(void **state)
{
    (void)state;
    connection_counts_t *counts = new_counts(10);
    connection_count_t connections[4] = {{0}};
    for (int i = 0; i < 3; i++)
        assert_true(connection_count_in(counts, &connections[i], 3));
    assert_false(connection_count_in(counts, &connections[3], 1));
    connection_count_leave(counts, &connections[0]);
    assert_false(connection_count_in(counts, &connections[3], 2));
    connection_count_leave(counts, &connections[1]);
    assert_true(connection_count_in(counts, &connections[3], 2));
    assert_int_equal(connection_counts_total(counts), 2);
    connection_count_leave(counts, &connections[2]);
    connection_count_leave(counts, &connections[3]);
    connection_counts_free(counts);
}

static void without_counts_everybody_comes(void **state)
{
    (void)state;
    connection_count_t count = {0};
    assert_true(connection_count_in(NULL, &count, 0));
    assert_true(connection_count_for_address(NULL, &count, address_of("192.0.2.1"), 0));
    connection_count_leave(NULL, &count);
    connection_counts_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_to_the_number_in_all),     cmocka_unit_test(keeps_to_the_number_of_an_address),
        cmocka_unit_test(leaving_twice_is_leaving_once),  cmocka_unit_test(follows_a_bound_that_changes),
        cmocka_unit_test(without_counts_everybody_comes),
    };

    return cmocka_run_group_tests_name("connection_counts", tests, NULL, NULL);
}
