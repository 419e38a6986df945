#include "failing_alloc.h"

#include <stddef.h>

/* The linker dictates the names. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

static bool armed;
static bool failed;
static unsigned left;

void failing_alloc_arm(unsigned passing)
{
    armed = true;
    failed = false;
    left = passing;
}

bool failing_alloc_disarm(void)
{
    armed = false;
    return failed;
}

static bool fails_now(void)
{
    if (!armed || failed)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    failed = true;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_now() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails_now() ? NULL : __real_aligned_alloc(alignment, size);
}
