#include "allocations.h"

#include <errno.h>
#include <stdlib.h>

/* The C library's own, under the names that it exports for this. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static _Thread_local uint64_t count;

uint64_t allocations_count(void)
{
    return count;
}

void *malloc(size_t size)
{
    count++;
    return __libc_malloc(size);
}

void *calloc(size_t nmemb, size_t size)
{
    count++;
    return __libc_calloc(nmemb, size);
}

void *realloc(void *ptr, size_t size)
{
    count++;
    return __libc_realloc(ptr, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    count++;
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **memptr, size_t alignment, size_t size)
{
    void *found = __libc_memalign(alignment, size);
    count++;
    if (found == NULL)
        return ENOMEM;
    *memptr = found;
    return 0;
}
