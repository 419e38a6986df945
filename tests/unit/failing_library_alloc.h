/*
 * failing_library_alloc: makes the allocations of OpenSSL and jansson fail too, by the count of
 * failing_alloc.h, whose wraps reach only what is linked into the program itself.
 */
#ifndef INTROSPECTD_TESTS_FAILING_LIBRARY_ALLOC_H
#define INTROSPECTD_TESTS_FAILING_LIBRARY_ALLOC_H

#include <stdbool.h>

/* Before anything of OpenSSL allocates. False when it is too late. */
bool failing_library_alloc_init(void);

#endif
