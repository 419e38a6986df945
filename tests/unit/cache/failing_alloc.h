/*
 * failing_alloc: lets one chosen allocation of the code under test fail. Linked with --wrap for each of the
 * functions that allocate; not for tests with several threads.
 */
#ifndef FAILING_ALLOC_H
#define FAILING_ALLOC_H

#include <stdbool.h>

/* The allocation after `passing` more ones fails, and only that one. */
void failing_alloc_arm(unsigned passing);

/* Lets all succeed again; whether the armed one had failed. */
bool failing_alloc_disarm(void);

#endif
