#include "introspectd/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static const int64_t year_0_s = INT64_C(-62167219200);
static const int64_t year_10000_s = INT64_C(253402300800);

int64_t clock_now_s(void)
{
    struct timespec now;
    /* A tenth of the price, and one tick of the system behind at most. */
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now.tv_sec;
}

int64_t clock_monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_format_rfc3339(int64_t time_s, char *out)
{
    time_t time = (time_t)time_s;
    struct tm utc;

    if (time_s < year_0_s || time_s >= year_10000_s || gmtime_r(&time, &utc) == NULL) {
        snprintf(out, CLOCK_RFC3339_SIZE, "%" PRId64, time_s);
        return;
    }
    /* strftime would write the year without its leading zeros. */
    snprintf(out, CLOCK_RFC3339_SIZE, "%04d", utc.tm_year + 1900);
    strftime(out + 4, CLOCK_RFC3339_SIZE - 4, "-%m-%dT%H:%M:%SZ", &utc);
}
