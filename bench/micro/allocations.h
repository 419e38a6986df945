/*
 * allocations: how often this thread asked the heap for memory.
 *
 * The program's own malloc, calloc, realloc, aligned_alloc and posix_memalign count and hand on to the C
 * library's, so that what libraries allocate is seen as well. free is not counted.
 */
#ifndef INTROSPECTD_BENCH_ALLOCATIONS_H
#define INTROSPECTD_BENCH_ALLOCATIONS_H

#include <stdint.h>

/* Of the calling thread, since it began. */
uint64_t allocations_count(void);

#endif
