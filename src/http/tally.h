/*
 * tally: what one event loop's thread has answered, for the metrics.
 *
 * Each has one writer, its thread, so that counting is a load and a store of a line that no other thread
 * writes to. Any thread may read; what is read together may be a request apart.
 */
#ifndef INTROSPECTD_HTTP_TALLY_H
#define INTROSPECTD_HTTP_TALLY_H

#include "answer_note.h"

#include "introspectd/reason.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef _Atomic uint64_t tally_count_t;

/* Rows of `requests` behind the profiles': who asked is not proved. */
enum { TALLY_PROFILE_NONE = PROFILE_RFC7662 + 1, TALLY_PROFILES };

enum { TALLY_BUCKETS = 16 };

/* The upper bounds of all buckets of a histogram but the last, which has none. */
extern const uint64_t TALLY_BUCKET_MAX_US[TALLY_BUCKETS];

/* How long requests took from the beginning of the turn of the loop in which they came until their answer
 * was ready. */
typedef struct tally_histogram {
    tally_count_t buckets[TALLY_BUCKETS + 1]; /* each by itself, not added up */
    tally_count_t sum_us;
} tally_histogram_t;

/* Of counts alone, zero-initialised. */
typedef struct tally {
    tally_count_t requests[TALLY_PROFILES][2][OUTCOME_COUNT]; /* [1]: HTTP/2 */
    tally_count_t reasons[REASON_COUNT];                      /* of what was inactive, or no verdict */
    tally_histogram_t durations[2];                           /* of verdicts; [1]: from the cache */
    tally_count_t accepted;                                   /* connections */
    tally_count_t waiting; /* new tokens that wait for verification: how many there are now */
} tally_t;

/* By the writer alone. */
static inline void tally_count(tally_count_t *count, uint64_t more)
{
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + more, memory_order_relaxed);
}

static inline uint64_t tally_read(const tally_count_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* Counts an answer. By the writer alone. */
void tally_note(tally_t *tally, const answer_note_t *note, bool is_http2);

/* Adds what part has counted to sum, which is the caller's alone. */
void tally_add(tally_t *sum, const tally_t *part);

#endif
