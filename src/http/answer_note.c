#include "answer_note.h"

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
