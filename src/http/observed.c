#include "observed.h"

void observed_sum(const observed_t *observed, tally_t *sum)
{
    *sum = (tally_t){0};
    for (size_t i = 0; i < observed->tally_count; i++)
        tally_add(sum, &observed->tallies[i].tally);
}
