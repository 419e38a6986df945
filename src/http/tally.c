#include "tally.h"

const uint64_t TALLY_BUCKET_MAX_US[TALLY_BUCKETS] = {
    10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000};

_Static_assert(sizeof(tally_t) % sizeof(tally_count_t) == 0 && sizeof(tally_count_t) == sizeof(uint64_t),
               "a tally is an array of counts");

const char *outcome_name(outcome_t outcome)
{
    static const char *const NAMES[OUTCOME_COUNT] = {
        [OUTCOME_ACTIVE] = "active",
        [OUTCOME_INACTIVE] = "inactive",
        [OUTCOME_UNAVAILABLE] = "unavailable",
        [OUTCOME_OVERLOADED] = "overloaded",
        [OUTCOME_UNAUTHORIZED] = "unauthorized",
        [OUTCOME_THROTTLED] = "throttled",
        [OUTCOME_INVALID] = "invalid",
    };
    return NAMES[outcome];
}

static void note_duration(tally_histogram_t *histogram, int64_t duration_us)
{
    uint64_t us = duration_us > 0 ? (uint64_t)duration_us : 0;
    size_t bucket = 0;
    while (bucket < TALLY_BUCKETS && us > TALLY_BUCKET_MAX_US[bucket])
        bucket++;
    tally_count(&histogram->buckets[bucket], 1);
    tally_count(&histogram->sum_us, us);
}

void tally_note(tally_t *tally, const answer_note_t *note, bool is_http2)
{
    size_t profile = note->client == NULL ? TALLY_PROFILE_NONE : (size_t)note->client->profile;
    tally_count(&tally->requests[profile][is_http2][note->outcome], 1);
    if (note->reason != REASON_NONE)
        tally_count(&tally->reasons[note->reason], 1);
    if (note->token.base != NULL)
        note_duration(&tally->durations[note->is_from_cache], note->duration_us);
}

void tally_add(tally_t *sum, const tally_t *part)
{
    tally_count_t *to = (tally_count_t *)sum;
    const tally_count_t *from = (const tally_count_t *)part;
    for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
        tally_count(&to[i], tally_read(&from[i]));
}
