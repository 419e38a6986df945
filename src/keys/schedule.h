/*
 * schedule: when a source is to be fetched.
 *
 * Pure arithmetic over milliseconds of a clock that never steps: `now` and the randomness of the jitter (all
 * values of an uint32_t alike) are parameters. One thread at a time.
 */
#ifndef KEYS_SCHEDULE_H
#define KEYS_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct schedule_bounds {
    int64_t refresh_min_s;
    int64_t refresh_max_s;
    int64_t cooldown_s;
    int64_t stale_max_s;
} schedule_bounds_t;

/* Zero but for the bounds: due at once. */
typedef struct schedule {
    schedule_bounds_t bounds;
    bool was_started;
    int64_t started_ms;    /* the last attempt's beginning */
    int64_t next_ms;       /* the next attempt that nobody has to ask for */
    int64_t not_before_ms; /* what the provider asked for: no attempt at all before */
    unsigned failures;     /* since the last success */
} schedule_t;

/* An attempt begins. */
void schedule_start(schedule_t *schedule, int64_t now_ms);

/* The attempt gave keys. has_lifetime: the provider said how long they stay fresh. */
void schedule_succeed(schedule_t *schedule, int64_t now_ms, bool has_lifetime, int64_t lifetime_s,
                      uint32_t random);

/* The attempt gave none. retry_after_s: what the provider asked for, 0 for nothing. */
void schedule_fail(schedule_t *schedule, int64_t now_ms, int64_t retry_after_s, uint32_t random);

/* When the next attempt is due; may lie in the past. */
int64_t schedule_due_ms(const schedule_t *schedule, bool is_wanted);

/* When keys that were last known to be current at success_ms must not be used any more. */
int64_t schedule_stale_ms(const schedule_t *schedule, int64_t success_ms);

#endif
