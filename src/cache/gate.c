#include "gate.h"

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

/* What is waited for takes well under a microsecond, unless its thread was taken off the processor. */
enum { SPINS = 100 };

/* Where the calling thread looks for a place first. */
static unsigned first_place(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned number; /* 0: not yet drawn */

    if (number == 0)
        number = atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1;
    return number;
}

static void wait_a_little(unsigned *waits)
{
    if (++*waits > SPINS)
        sched_yield();
}

static void take(atomic_uint *word)
{
    unsigned waits = 0;
    unsigned is_free = 0;

    while (!atomic_compare_exchange_strong(word, &is_free, 1)) {
        /* Looking takes the line from nobody. */
        do
            wait_a_little(&waits);
        while (atomic_load_explicit(word, memory_order_relaxed) != 0);
        is_free = 0;
    }
}

static bool take_place(gate_place_t *place, const gate_t *gate)
{
    const gate_t *nowhere = NULL;

    return atomic_compare_exchange_strong(&place->gate, &nowhere, gate);
}

/*
 * The reader names the gate, then looks whether it is closed; the writer closes it, then looks whether it is
 * named. In the one order of sequentially consistent operations one of the two sees the other.
 */
gate_place_t *gate_enter(gate_place_t places[GATE_PLACES], const gate_t *gate)
{
    unsigned waits = 0;

    for (unsigned i = first_place();;) {
        gate_place_t *place = &places[i % GATE_PLACES];

        if (!take_place(place, gate)) {
            i++;
            wait_a_little(&waits);
            continue;
        }
        if (!atomic_load(&gate->is_closed))
            return place;
        gate_leave(place);
        while (atomic_load_explicit(&gate->is_closed, memory_order_relaxed))
            wait_a_little(&waits);
    }
}

void gate_leave(gate_place_t *place)
{
    atomic_store_explicit(&place->gate, NULL, memory_order_release);
}

void gate_hold(gate_t *gate)
{
    take(&gate->is_held);
}

void gate_release(gate_t *gate)
{
    atomic_store_explicit(&gate->is_held, 0, memory_order_release);
}

void gate_close(gate_place_t places[GATE_PLACES], gate_t *gate)
{
    unsigned waits = 0;

    take(&gate->is_closed);
    for (size_t i = 0; i < GATE_PLACES; i++) {
        while (atomic_load(&places[i].gate) == gate)
            wait_a_little(&waits);
    }
}

void gate_open(gate_t *gate)
{
    atomic_store_explicit(&gate->is_closed, 0, memory_order_release);
}
