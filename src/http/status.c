#include "status.h"

#include "access_log.h"
#include "latency.h"
#include "readiness.h"
#include "refusals.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"
#include "introspectd/process_stats.h"

static json_t *count_of(const tally_count_t *count)
{
    return json_integer((json_int_t)tally_read(count));
}

/* Releases json and gives NULL if it is not complete. */
static json_t *if_complete(json_t *json, bool is_complete)
{
    if (is_complete)
        return json;
    json_decref(json);
    return NULL;
}

static json_t *row_of_requests(const tally_t *tally, size_t profile, size_t protocol)
{
    static const char *const PROTOCOLS[] = {"HTTP/1", "HTTP/2"};
    const char *profile_text = profile == TALLY_PROFILE_NONE ? "none" : profile_name((profile_t)profile);
    json_t *row = json_pack("{s:s, s:s}", "profile", profile_text, "protocol", PROTOCOLS[protocol]);
    bool is_complete = row != NULL;
    uint64_t total = 0;
    for (size_t outcome = 0; is_complete && outcome < OUTCOME_COUNT; outcome++) {
        const tally_count_t *count = &tally->requests[profile][protocol][outcome];
        total += tally_read(count);
        is_complete = json_object_set_new(row, outcome_name((outcome_t)outcome), count_of(count)) == 0;
    }
    is_complete = is_complete && json_object_set_new(row, "total", json_integer((json_int_t)total)) == 0;
    return if_complete(row, is_complete);
}

static json_t *requests_of(const tally_t *tally)
{
    json_t *rows = json_array();
    bool is_complete = rows != NULL;
    for (size_t profile = 0; profile < TALLY_PROFILES; profile++) {
        for (size_t protocol = 0; is_complete && protocol < 2; protocol++)
            is_complete = json_array_append_new(rows, row_of_requests(tally, profile, protocol)) == 0;
    }
    return if_complete(rows, is_complete);
}

static uint64_t total_of(const tally_t *tally, outcome_t outcome)
{
    uint64_t total = 0;
    for (size_t profile = 0; profile < TALLY_PROFILES; profile++)
        total += tally_read(&tally->requests[profile][0][outcome]) +
                 tally_read(&tally->requests[profile][1][outcome]);
    return total;
}

/* uptime_s is below 0 when it is not known. */
static json_t *totals_of(const tally_t *tally, double uptime_s)
{
    json_t *totals = json_object();
    bool is_complete = totals != NULL;
    uint64_t sum = 0;
    for (size_t outcome = 0; is_complete && outcome < OUTCOME_COUNT; outcome++) {
        uint64_t total = total_of(tally, (outcome_t)outcome);
        sum += total;
        is_complete = json_object_set_new(totals, outcome_name((outcome_t)outcome),
                                          json_integer((json_int_t)total)) == 0;
    }
    uint64_t failed = total_of(tally, OUTCOME_UNAVAILABLE) + total_of(tally, OUTCOME_OVERLOADED);
    uint64_t not_active = total_of(tally, OUTCOME_INACTIVE) + total_of(tally, OUTCOME_UNAVAILABLE);
    json_t *rate = uptime_s > 0 ? json_real((double)sum / uptime_s) : json_null();
    is_complete = is_complete && json_object_set(totals, "per_s", rate) == 0 &&
                  json_object_set_new(totals, "requests", json_integer((json_int_t)sum)) == 0 &&
                  json_object_set_new(totals, "not_active", json_integer((json_int_t)not_active)) == 0 &&
                  json_object_set_new(totals, "no_verdict_503", json_integer((json_int_t)failed)) == 0;
    json_decref(rate);
    return if_complete(totals, is_complete);
}

/* Those from first on, up to last, which is not among them. */
static json_t *reasons_of(const tally_t *tally, size_t first, size_t last)
{
    json_t *rows = json_array();
    bool is_complete = rows != NULL;
    for (size_t reason = first; is_complete && reason < last; reason++)
        is_complete =
            json_array_append_new(rows, json_pack("{s:s, s:s, s:o}", "reason", reason_name((reason_t)reason),
                                                  "text", reason_text((reason_t)reason), "count",
                                                  count_of(&tally->reasons[reason]))) == 0;
    return if_complete(rows, is_complete);
}

static void add_client(void *data, const char *client_id, const client_tally_t *sum)
{
    json_t *row = json_pack("{s:s}", "client", client_id);
    for (size_t outcome = 0; outcome <= OUTCOME_UNAVAILABLE; outcome++)
        json_object_set_new(row, outcome_name((outcome_t)outcome), count_of(&sum->outcomes[outcome]));
    json_array_append_new(data, row);
}

static json_t *clients_of(client_tallies_t *clients)
{
    json_t *rows = json_array();
    client_tallies_each(clients, add_client, rows);
    return rows;
}

static json_t *quantile_of(const tally_histogram_t *histogram, double quantile)
{
    double time_us = latency_quantile_us(histogram, quantile);
    return time_us < 0 ? json_null() : json_real(time_us);
}

static json_t *histogram_of(const tally_histogram_t *histogram)
{
    json_t *buckets = json_array();
    bool is_complete = buckets != NULL;
    for (size_t i = 0; is_complete && i <= TALLY_BUCKETS; i++)
        is_complete = json_array_append_new(buckets, count_of(&histogram->buckets[i])) == 0;
    buckets = if_complete(buckets, is_complete);
    return json_pack("{s:o, s:I, s:o, s:o, s:o}", "buckets", buckets, "count",
                     (json_int_t)latency_count(histogram), "sum_us", count_of(&histogram->sum_us), "p50_us",
                     quantile_of(histogram, 0.5), "p99_us", quantile_of(histogram, 0.99));
}

static json_t *latency_of(const tally_t *tally)
{
    json_t *bounds = json_array();
    bool is_complete = bounds != NULL;
    for (size_t i = 0; is_complete && i < TALLY_BUCKETS; i++)
        is_complete = json_array_append_new(bounds, json_integer((json_int_t)TALLY_BUCKET_MAX_US[i])) == 0;
    bounds = if_complete(bounds, is_complete);
    return json_pack("{s:o, s:o, s:o}", "bounds_us", bounds, "cached", histogram_of(&tally->durations[true]),
                     "verified", histogram_of(&tally->durations[false]));
}

static json_t *partition_of(const cache_stats_t *stats)
{
    return json_pack("{s:I, s:I, s:I}", "entries", (json_int_t)stats->entries, "bytes",
                     (json_int_t)stats->bytes, "evictions", (json_int_t)stats->evictions);
}

static json_t *cache_of(const introspector_t *introspector, const tally_t *tally)
{
    introspect_cache_stats_t stats;
    introspector_get_cache_stats(introspector, &stats);
    uint64_t hits = latency_count(&tally->durations[true]);
    uint64_t misses = latency_count(&tally->durations[false]);
    uint64_t bytes = stats.active.bytes + stats.inactive.bytes;
    json_t *ratio = hits + misses == 0 ? json_null() : json_real((double)hits / (double)(hits + misses));
    return json_pack("{s:I, s:I, s:o, s:I, s:I, s:o, s:o}", "hits", (json_int_t)hits, "misses",
                     (json_int_t)misses, "hit_ratio", ratio, "bytes", (json_int_t)bytes, "max_bytes",
                     (json_int_t)introspector_config(introspector)->cache.max_bytes, "active",
                     partition_of(&stats.active), "inactive", partition_of(&stats.inactive));
}

static json_t *issuer_of(const config_issuer_t *issuer)
{
    keyset_slot_status_t status;
    keyset_slot_get_status(issuer->keys, &status);
    int64_t age_s = clock_now_s() - status.refreshed_s;
    return json_pack("{s:s, s:b, s:I, s:I, s:b, s:I, s:I, s:s?}", "issuer", issuer->rules.issuer, "usable",
                     (int)config_issuer_has_keys(issuer), "keys", (json_int_t)status.key_count, "age_s",
                     (json_int_t)(age_s > 0 ? age_s : 0), "fetched",
                     (int)keyset_slot_is_fetched(issuer->keys), "fetches", (json_int_t)status.attempts,
                     "failures", (json_int_t)status.failures, "problem",
                     status.problem[0] == '\0' ? NULL : status.problem);
}

static json_t *issuers_of(const config_t *config)
{
    json_t *rows = json_array();
    bool is_complete = rows != NULL;
    for (size_t i = 0; is_complete && i < config->issuer_count; i++)
        is_complete = json_array_append_new(rows, issuer_of(&config->issuers[i])) == 0;
    return if_complete(rows, is_complete);
}

static json_t *reloads_of(const reload_counts_t *reloads)
{
    char applied_at[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(atomic_load(&reloads->applied_s), applied_at);
    return json_pack("{s:I, s:I, s:b, s:s}", "applied", (json_int_t)atomic_load(&reloads->applied), "refused",
                     (json_int_t)atomic_load(&reloads->refused), "last_was_refused",
                     (int)atomic_load(&reloads->last_was_refused), "applied_at", applied_at);
}

static uint64_t refusals_of_all_limits(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < REFUSAL_COUNT; i++)
        sum += refusals_total((refusal_t)i);
    return sum;
}

static json_t *refusals_of_limits(void)
{
    json_t *rows = json_array();
    bool is_complete = rows != NULL;
    for (int i = 0; is_complete && i < REFUSAL_COUNT; i++)
        is_complete =
            json_array_append_new(rows, json_pack("{s:s, s:I}", "limit", refusals_name((refusal_t)i), "count",
                                                  (json_int_t)refusals_total((refusal_t)i))) == 0;
    return if_complete(rows, is_complete);
}

static json_t *process_of(const process_stats_t *stats)
{
    json_t *max_fds = stats->max_fds == UINT64_MAX ? json_null() : json_integer((json_int_t)stats->max_fds);
    return json_pack("{s:f, s:I, s:I, s:I, s:o, s:I}", "cpu_s", stats->cpu_s, "resident_bytes",
                     (json_int_t)stats->resident_bytes, "virtual_bytes", (json_int_t)stats->virtual_bytes,
                     "open_fds", (json_int_t)stats->open_fds, "max_fds", max_fds, "threads",
                     (json_int_t)stats->threads);
}

static json_t *state_of(const observed_t *observed, const config_t *config, double uptime_s)
{
    char time[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(clock_now_s(), time);
    bool is_draining = atomic_load(observed->is_draining);
    size_t lacking = readiness_count_lacking(config);
    bool is_ready = !is_draining && readiness_of(config, lacking);
    const char *state = is_draining ? "draining" : is_ready ? "ready" : "not ready";
    return json_pack("{s:s, s:s, s:b, s:b, s:s, s:o, s:I, s:I, s:I}", "version", INTROSPECTD_VERSION, "state",
                     state, "ready", (int)is_ready, "draining", (int)is_draining, "time", time, "uptime_s",
                     uptime_s < 0 ? json_null() : json_integer((json_int_t)uptime_s), "threads",
                     (json_int_t)observed->tally_count, "issuers_usable",
                     (json_int_t)(config->issuer_count - lacking), "issuers_total",
                     (json_int_t)config->issuer_count);
}

static json_t *counts_of(const observed_t *observed, const introspector_t *introspector, const tally_t *tally,
                         double uptime_s)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "totals", totals_of(tally, uptime_s), "requests",
        requests_of(tally), "inactive", reasons_of(tally, REASON_NONE + 1, REASON_KEYS_UNAVAILABLE),
        "no_verdict", reasons_of(tally, REASON_KEYS_UNAVAILABLE, REASON_COUNT), "clients",
        clients_of(observed->clients), "latency", latency_of(tally), "cache", cache_of(introspector, tally));
}

static json_t *rest_of(const observed_t *observed, const config_t *config, const tally_t *tally,
                       json_t *take_process)
{
    uint64_t log_lines_lost = log_lost_total() + access_log_lost_total();
    return json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:o, s:o, s:I, s:o}", "issuers", issuers_of(config),
                     "reloads", reloads_of(observed->reloads), "connections",
                     (json_int_t)connection_counts_total(observed->connections), "connections_accepted",
                     count_of(&tally->accepted), "waiting", count_of(&tally->waiting), "refusals_total",
                     (json_int_t)refusals_of_all_limits(), "refusals", refusals_of_limits(),
                     "recent_refusals", recent_refusals_list(observed->recent), "log_lines_lost",
                     (json_int_t)log_lines_lost, "process", take_process);
}

json_t *status_json(const observed_t *observed, const introspector_t *introspector)
{
    const config_t *config = introspector_config(introspector);
    tally_t tally;
    observed_sum(observed, &tally);
    process_stats_t stats;
    bool has_stats = process_stats_read(&stats);
    double uptime_s = has_stats && stats.start_time_s > 0 ? (double)clock_now_s() - stats.start_time_s : -1;
    json_t *status = state_of(observed, config, uptime_s);
    json_t *counts = counts_of(observed, introspector, &tally, uptime_s);
    json_t *rest = rest_of(observed, config, &tally, has_stats ? process_of(&stats) : json_null());
    bool is_complete = status != NULL && counts != NULL && rest != NULL &&
                       json_object_update(status, counts) == 0 && json_object_update(status, rest) == 0;
    json_decref(counts);
    json_decref(rest);
    return if_complete(status, is_complete);
}
