#include "json_memory.h"

#include "introspectd/json.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef HAS_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
/* What lies between two blocks is nobody's. */
enum { GAP = 16 };
#else
#define ASAN_POISON_MEMORY_REGION(base, size) ((void)(base), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(base, size) ((void)(base), (void)(size))
enum { GAP = 0 };
#endif

enum { ARENA_SIZE = 16384, ARENA_ALIGN = alignof(max_align_t) };

static _Thread_local struct {
    bool is_open;
    size_t used;
    size_t blocks; /* given out and not given back */
    alignas(ARENA_ALIGN) char bytes[ARENA_SIZE];
} arena;

_Thread_local bool json_memory_ran_out;

#ifdef HAS_ADDRESS_SANITIZER
/* Makes a block that was given back nobody's again; a gap stands behind each. */
static void poison_block(char *block)
{
    char *end = block;
    while (end < arena.bytes + ARENA_SIZE && !__asan_address_is_poisoned(end))
        end++;
    ASAN_POISON_MEMORY_REGION(block, (size_t)(end - block));
}
#else
static void poison_block(char *block)
{
    (void)block;
}
#endif

static bool is_in_arena(const void *block)
{
    return (uintptr_t)block - (uintptr_t)arena.bytes < ARENA_SIZE;
}

/* NULL when there is no room. */
static void *take_from_arena(size_t size)
{
    size_t rest = ARENA_SIZE - arena.used;
    if (size > rest)
        return NULL;
    size_t taken = (size + GAP + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    void *block = arena.bytes + arena.used;
    arena.used += taken < rest ? taken : rest;
    arena.blocks++;
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    return block;
}

void json_arena_open(void)
{
    if (arena.is_open)
        abort();
    ASAN_POISON_MEMORY_REGION(arena.bytes, ARENA_SIZE);
    arena.is_open = true;
}

/* A block that somebody still holds would be another one's soon: no answer may come of that. */
void json_arena_close(void)
{
    if (!arena.is_open || arena.blocks != 0)
        abort();
    ASAN_UNPOISON_MEMORY_REGION(arena.bytes, arena.used);
    explicit_bzero(arena.bytes, arena.used);
    ASAN_POISON_MEMORY_REGION(arena.bytes, arena.used);
    arena.used = 0;
    arena.is_open = false;
}

static void *allocate(size_t size)
{
    void *block = arena.is_open ? take_from_arena(size) : NULL;
    if (block == NULL)
        block = malloc(size);
    json_memory_ran_out = json_memory_ran_out || block == NULL;
    return block;
}

/* Keys and tokens lie in it: what is on the heap is overwritten at once, the arena when it is closed. */
static void cleanse_and_free(void *block)
{
    if (is_in_arena(block)) {
        if (arena.blocks-- == 0)
            abort();
        poison_block(block);
        return;
    }
    if (block != NULL)
        explicit_bzero(block, malloc_usable_size(block));
    free(block);
}

void json_memory_init(void)
{
    json_set_alloc_funcs(allocate, cleanse_and_free);
}
