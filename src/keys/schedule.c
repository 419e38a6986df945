#include "schedule.h"

enum { FIRST_BACKOFF_MS = 1000, MAX_BACKOFF_MS = 60000, MAX_RETRY_AFTER_S = 300, JITTER_PART = 5 };

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Times over a quarter of the range are for ever, so that sums of two cannot overflow. */
static int64_t to_ms(int64_t seconds)
{
    const int64_t forever_ms = INT64_MAX / 4;
    return seconds <= 0 ? 0 : seconds >= forever_ms / 1000 ? forever_ms : seconds * 1000;
}

static int64_t shorten(int64_t delay_ms, uint32_t random)
{
    /* In this order the product stays in the range; what is lost is under the resolution of the random. */
    int64_t part = delay_ms / JITTER_PART;
    return delay_ms - (part >> 32) * random - (int64_t)((((uint64_t)part & UINT32_MAX) * random) >> 32);
}

void schedule_start(schedule_t *schedule, int64_t now_ms)
{
    schedule->was_started = true;
    schedule->started_ms = now_ms;
}

void schedule_succeed(schedule_t *schedule, int64_t now_ms, bool has_lifetime, int64_t lifetime_s,
                      uint32_t random)
{
    const schedule_bounds_t *bounds = &schedule->bounds;
    /* There has to be time for another try before the keys are stale. */
    int64_t latest_s = min(bounds->refresh_max_s, bounds->stale_max_s / 2);
    int64_t wanted_s = has_lifetime ? min(lifetime_s, latest_s) : latest_s;
    int64_t delay_ms = to_ms(max(bounds->refresh_min_s, wanted_s));
    schedule->next_ms = now_ms + max(to_ms(bounds->refresh_min_s), shorten(delay_ms, random));
    schedule->not_before_ms = now_ms;
    schedule->failures = 0;
}

void schedule_fail(schedule_t *schedule, int64_t now_ms, int64_t retry_after_s, uint32_t random)
{
    int64_t most_ms = min(MAX_BACKOFF_MS, max(to_ms(schedule->bounds.refresh_max_s), FIRST_BACKOFF_MS));
    int64_t delay_ms = FIRST_BACKOFF_MS;
    for (unsigned i = 0; i < schedule->failures && delay_ms < most_ms; i++)
        delay_ms *= 2;
    if (schedule->failures < UINT32_MAX)
        schedule->failures++;
    schedule->next_ms = now_ms + shorten(min(delay_ms, most_ms), random);
    schedule->not_before_ms = now_ms + to_ms(min(retry_after_s, MAX_RETRY_AFTER_S));
}

int64_t schedule_due_ms(const schedule_t *schedule, bool is_wanted)
{
    int64_t due_ms = schedule->next_ms;
    if (!schedule->was_started)
        return due_ms;
    if (is_wanted)
        due_ms = min(due_ms, schedule->started_ms + to_ms(schedule->bounds.cooldown_s));
    return max(due_ms, schedule->not_before_ms);
}

int64_t schedule_stale_ms(const schedule_t *schedule, int64_t success_ms)
{
    return success_ms + to_ms(schedule->bounds.stale_max_s);
}
