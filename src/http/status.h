/*
 * status: what the status page shows, as JSON: of the same counts as the metrics.
 */
#ifndef INTROSPECTD_HTTP_STATUS_H
#define INTROSPECTD_HTTP_STATUS_H

#include "observed.h"

#include "introspectd/introspect.h"

/*
 * A new object with all of it as it is now; NULL when memory cannot be had. Any thread.
 *
 *   version, state ("ready", "not ready", "draining"), ready, draining, time (RFC 3339), uptime_s (or null),
 *   threads
 *   totals      requests, per_s (since the start, or null), no_verdict_503 (unavailable and overloaded),
 *               not_active (inactive and unavailable), and each outcome
 *   requests    by profile and protocol: profile, protocol, total, each outcome
 *   inactive    by reason: reason, text, count; no_verdict: likewise
 *   clients     client, active, inactive, unavailable
 *   latency     bounds_us, and for each of cached and verified: buckets (one more than bounds, each by
 * itself), count, sum_us, p50_us, p99_us (null when there were none) cache       hits, misses, hit_ratio (or
 * null), bytes, max_bytes, and for each of active and inactive: entries, bytes, evictions issuers     issuer,
 * usable, keys, age_s, fetched, fetches, failures, problem (or null) issuers_usable, issuers_total reloads
 * applied, refused, last_was_refused, applied_at (RFC 3339) connections, connections_accepted, waiting
 *   refusals    by limit: limit, count; refusals_total
 *   recent_refusals   see recent_refusals_list
 *   log_lines_lost
 *   process     cpu_s, resident_bytes, virtual_bytes, open_fds, max_fds, threads; null where it cannot be
 * read
 */
json_t *status_json(const observed_t *observed, const introspector_t *introspector)
    __attribute__((warn_unused_result));

#endif
