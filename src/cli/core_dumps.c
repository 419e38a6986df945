#include "core_dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

/* What the process was started with. */
static struct {
    bool is_known;
    bool is_dumpable;
    rlim_t max_bytes;
} before;

static void note_before(void)
{
    struct rlimit limit = {0, 0};
    (void)getrlimit(RLIMIT_CORE, &limit);
    before.max_bytes = limit.rlim_cur;
    before.is_dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1;
    before.is_known = true;
}

/* The soft limit alone, which can be raised again. */
static void limit_size(rlim_t max_bytes)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0)
        return;
    limit.rlim_cur = max_bytes;
    (void)setrlimit(RLIMIT_CORE, &limit);
}

void core_dumps_allow(bool is_allowed)
{
    if (!before.is_known)
        note_before();
    limit_size(is_allowed ? before.max_bytes : 0);
    (void)prctl(PR_SET_DUMPABLE, is_allowed && before.is_dumpable ? 1L : 0L, 0L, 0L, 0L);
}
