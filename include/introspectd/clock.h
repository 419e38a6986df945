/*
 * clock: the time, in the two kinds that the daemon needs.
 *
 * Everything below the edges takes `now` as a parameter, so that tests choose it; only http and cli read the
 * clock. All functions may be called from any thread.
 */
#ifndef INTROSPECTD_CLOCK_H
#define INTROSPECTD_CLOCK_H

#include <stdint.h>

/* Seconds since 1970-01-01T00:00:00Z, the time that NumericDate counts in (RFC 7519 section 2). May be one
 * tick of the system's timer behind, at most 10 ms. */
int64_t clock_now_s(void);

/* Milliseconds and microseconds of a clock that never steps, and that goes on while the machine sleeps; only
 * differences mean anything. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

enum { CLOCK_RFC3339_SIZE = 32 };

/*
 * Writes time_s as RFC 3339 in UTC ("2026-11-22T22:07:02Z") into out, which holds CLOCK_RFC3339_SIZE bytes.
 * A time outside the years 0 to 9999 is written as its number of seconds.
 */
void clock_format_rfc3339(int64_t time_s, char *out);

#endif
