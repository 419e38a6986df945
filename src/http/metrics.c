#include "metrics.h"

#include "refusals.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE_SIZE = 128 };

static const char REFUSALS_HEAD[] =
    "# HELP introspectd_refusals_total How often a limit was reached: a connection or a request was refused, or "
    "ended.\n"
    "# TYPE introspectd_refusals_total counter\n";

slice_t metrics_write(h2o_mem_pool_t *pool)
{
    size_t size = sizeof(REFUSALS_HEAD) + (size_t)REFUSAL_COUNT * LINE_SIZE;
    char *text = h2o_mem_alloc_pool(pool, size);
    size_t len = sizeof(REFUSALS_HEAD) - 1;
    memcpy(text, REFUSALS_HEAD, len);
    for (int i = 0; i < REFUSAL_COUNT; i++) {
        int line_len =
            snprintf(text + len, LINE_SIZE, "introspectd_refusals_total{limit=\"%s\"} %" PRIu64 "\n",
                     refusals_name((refusal_t)i), refusals_total((refusal_t)i));
        if (line_len > 0 && line_len < LINE_SIZE)
            len += (size_t)line_len;
    }
    return (slice_t){text, len};
}
