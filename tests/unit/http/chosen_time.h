/* chosen_time: what clock_monotonic_ms says in a test that is linked with -Wl,--wrap=clock_monotonic_ms. */
#ifndef INTROSPECTD_TESTS_CHOSEN_TIME_H
#define INTROSPECTD_TESTS_CHOSEN_TIME_H

#include <stdatomic.h>
#include <stdint.h>

static _Atomic int64_t chosen_time_ms;

/* The linker dictates the name. NOLINTBEGIN(bugprone-reserved-identifier) */
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return chosen_time_ms;
}
/* NOLINTEND(bugprone-reserved-identifier) */

#endif
