/*
 * caching: what a response's header fields say about when to ask again.
 *
 * Only the provider's own two clocks are compared (Expires and Date), so that it does not matter how far its
 * time is from ours. Pure; any thread.
 */
#ifndef KEYS_CACHING_H
#define KEYS_CACHING_H

#include <stdbool.h>
#include <stdint.h>

/* Field values as they came, NULL where there was none. Several Cache-Control fields are joined with ", ". */
typedef struct caching_fields {
    const char *cache_control;
    const char *age;
    const char *expires;
    const char *date;
    const char *retry_after;
} caching_fields_t;

/* No number that a provider sends counts for more (RFC 9111 section 1.2.2). */
#define CACHING_MAX_S INT64_C(2147483648)

/*
 * How long the response stays fresh (RFC 9111 section 4.2.1, as a private cache: s-maxage means nothing
 * here). no-store and no-cache count as 0, and so does an Expires that is no date (RFC 9111 section 5.3).
 * False, with *lifetime_s untouched, when the fields do not say it.
 */
bool caching_lifetime(const caching_fields_t *fields, int64_t *lifetime_s);

/* What Retry-After asks for (RFC 9110 section 10.2.3), 0 when it asks for nothing. */
int64_t caching_retry_after(const caching_fields_t *fields);

#endif
