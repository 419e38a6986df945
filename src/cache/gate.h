/*
 * gate: lets any number of readers into a stripe at once, or one writer alone.
 *
 * For data that is read far more often than it is written, where even counting the readers would have all
 * processors write to one cache line. A reader names the gate in a place of its own and passes when the gate
 * is open; a writer closes the gate and waits until no place names it. So reading writes to no line that
 * other threads use, and writing costs a look at every place. Readers that must write a little beside each
 * other hold the gate for it, one at a time. Who waits spins at first, then yields: what is done inside must
 * be short.
 */
#ifndef INTROSPECTD_CACHE_GATE_H
#define INTROSPECTD_CACHE_GATE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

/* More threads than places share them; a place is two cache lines, since processors fetch them in pairs. */
enum { GATE_PLACES = 16, GATE_PLACE_SIZE = 128 };

typedef struct gate {
    atomic_uint is_closed;
    atomic_uint is_held;
} gate_t;

/* Zero-initialised to begin with. */
typedef struct gate_place {
    alignas(GATE_PLACE_SIZE) _Atomic(const gate_t *) gate; /* where a reader is inside; NULL: nowhere */
    /* Written by the reader that has the place alone; read by everyone. */
    _Atomic uint64_t hits;
    _Atomic uint64_t misses;
} gate_place_t;

/* Goes in to read: what writers write stays as it is until gate_leave of the place that this gives. A thread
 * is in one gate at a time. */
gate_place_t *gate_enter(gate_place_t places[GATE_PLACES], const gate_t *gate);
void gate_leave(gate_place_t *place);

/* For a reader that is inside: keeps others from holding the gate until gate_release. */
void gate_hold(gate_t *gate);
void gate_release(gate_t *gate);

/* Goes in to write, alone. All who use the gate use the same places. */
void gate_close(gate_place_t places[GATE_PLACES], gate_t *gate);
void gate_open(gate_t *gate);

#endif
