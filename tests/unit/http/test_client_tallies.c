#include "client_tallies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_CLIENTS = 8, TEXT_SIZE = 256 };

/* A set of these clients, finished. */
typedef struct clients {
    client_set_t set;
    client_t places[MAX_CLIENTS];
} clients_t;

static const client_set_t *clients_of(clients_t *clients, const char *const *ids)
{
    *clients = (clients_t){0};
    clients->set.clients = clients->places;
    for (; ids[clients->set.count] != NULL; clients->set.count++)
        clients->places[clients->set.count].client_id = (char *)ids[clients->set.count];
    client_set_finish(&clients->set);
    return &clients->set;
}

static client_tally_t **tallies_of(client_tallies_t *tallies, const client_set_t *set, size_t thread)
{
    client_tally_t **found = client_tallies_of(tallies, set, thread);
    assert_non_null(found);
    return found;
}

static void append(void *data, const char *client_id, const client_tally_t *sum)
{
    char *text = data;
    size_t len = strlen(text);
    snprintf(text + len, TEXT_SIZE - len, "%s=%d/%d/%d ", client_id,
             (int)tally_read(&sum->outcomes[OUTCOME_ACTIVE]),
             (int)tally_read(&sum->outcomes[OUTCOME_INACTIVE]),
             (int)tally_read(&sum->outcomes[OUTCOME_UNAVAILABLE]));
}

static void assert_told(client_tallies_t *tallies, const char *expected)
{
    char text[TEXT_SIZE] = "";
    client_tallies_each(tallies, append, text);
    assert_string_equal(text, expected);
}

static void adds_up_what_threads_count(void **state)
{
    (void)state;
    clients_t clients;
    const client_set_t *set = clients_of(&clients, (const char *const[]){"b", "a", NULL});
    client_tallies_t *tallies = client_tallies_new(2);
    assert_non_null(tallies);
    client_tally_t **first = tallies_of(tallies, set, 0);
    client_tally_t **second = tallies_of(tallies, set, 1);
    const client_t *a = client_set_find(set, slice_of("a"));
    const client_t *b = client_set_find(set, slice_of("b"));
    assert_ptr_not_equal(first[a->index], second[a->index]);
    tally_count(&first[a->index]->outcomes[OUTCOME_ACTIVE], 3);
    tally_count(&second[a->index]->outcomes[OUTCOME_ACTIVE], 4);
    tally_count(&second[b->index]->outcomes[OUTCOME_INACTIVE], 1);
    assert_told(tallies, "a=7/0/0 b=0/1/0 ");
    free(first);
    free(second);
    client_tallies_free(tallies);
}

static void a_client_keeps_its_counts_over_reloads(void **state)
{
    (void)state;
    clients_t clients;
    client_tallies_t *tallies = client_tallies_new(1);
    const client_set_t *set = clients_of(&clients, (const char *const[]){"m", "c", NULL});
    client_tally_t **before = tallies_of(tallies, set, 0);
    size_t m = client_set_find(set, slice_of("m"))->index;
    client_tally_t *counted = before[m];
    tally_count(&counted->outcomes[OUTCOME_ACTIVE], 5);

    /* Others come before, between and behind; c goes. */
    set = clients_of(&clients, (const char *const[]){"z", "m", "d", "a", NULL});
    client_tally_t **after = tallies_of(tallies, set, 0);
    assert_ptr_equal(after[client_set_find(set, slice_of("m"))->index], counted);
    for (size_t i = 0; i < set->count; i++) {
        for (size_t other = 0; other < i; other++)
            assert_ptr_not_equal(after[i], after[other]);
    }
    tally_count(&after[client_set_find(set, slice_of("a"))->index]->outcomes[OUTCOME_UNAVAILABLE], 1);
    assert_told(tallies, "a=0/0/1 c=0/0/0 d=0/0/0 m=5/0/0 z=0/0/0 ");
    free(before);
    free(after);
    client_tallies_free(tallies);
}

static void no_client_is_no_fault(void **state)
{
    (void)state;
    clients_t clients;
    client_tallies_t *tallies = client_tallies_new(1);
    free(tallies_of(tallies, clients_of(&clients, (const char *const[]){NULL}), 0));
    assert_told(tallies, "");
    client_tallies_free(tallies);
    client_tallies_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_up_what_threads_count),
        cmocka_unit_test(a_client_keeps_its_counts_over_reloads),
        cmocka_unit_test(no_client_is_no_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
