#include "metrics.h"

#include "access_log.h"
#include "metrics_writer.h"
#include "readiness.h"
#include "refusals.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"
#include "introspectd/process_stats.h"

#include <h2o/version.h>
#include <openssl/crypto.h>
#include <stdlib.h>

static const char *const PARTITIONS[] = {"active", "inactive"};

static void write_requests(metrics_writer_t *writer, const tally_t *tally)
{
    static const char *const PROTOCOLS[] = {"http1", "http2"};
    metrics_family(writer, "introspectd_requests_total", "counter",
                   "Requests on the public listeners that were answered.");
    for (size_t profile = 0; profile < TALLY_PROFILES; profile++) {
        const char *profile_text = profile == TALLY_PROFILE_NONE ? "none" : profile_name((profile_t)profile);
        for (size_t protocol = 0; protocol < 2; protocol++) {
            for (size_t outcome = 0; outcome < OUTCOME_COUNT; outcome++)
                metrics_sample(writer, "",
                               METRICS_LABELS({"profile", profile_text}, {"protocol", PROTOCOLS[protocol]},
                                              {"outcome", outcome_name((outcome_t)outcome)}),
                               tally_read(&tally->requests[profile][protocol][outcome]));
        }
    }
}

static void write_reasons(metrics_writer_t *writer, const tally_t *tally)
{
    metrics_family(writer, "introspectd_inactive_total", "counter", "Inactive tokens, by why they are.");
    for (size_t reason = REASON_NONE + 1; reason < REASON_KEYS_UNAVAILABLE; reason++)
        metrics_sample(writer, "", METRICS_LABELS({"reason", reason_name((reason_t)reason)}),
                       tally_read(&tally->reasons[reason]));
    metrics_family(writer, "introspectd_no_verdict_total", "counter",
                   "Tokens about which nothing could be said, by why.");
    for (size_t reason = REASON_KEYS_UNAVAILABLE; reason < REASON_COUNT; reason++)
        metrics_sample(writer, "", METRICS_LABELS({"reason", reason_name((reason_t)reason)}),
                       tally_read(&tally->reasons[reason]));
}

static void write_client(void *data, const char *client_id, const client_tally_t *sum)
{
    for (size_t outcome = 0; outcome <= OUTCOME_UNAVAILABLE; outcome++)
        metrics_sample(data, "",
                       METRICS_LABELS({"client", client_id}, {"outcome", outcome_name((outcome_t)outcome)}),
                       tally_read(&sum->outcomes[outcome]));
}

static void write_clients(metrics_writer_t *writer, client_tallies_t *clients)
{
    metrics_family(writer, "introspectd_client_requests_total", "counter",
                   "Tokens that each client of the config has asked about.");
    client_tallies_each(clients, write_client, writer);
}

/* The number of what was counted. */
static uint64_t write_histogram(const metrics_writer_t *writer, const char *cached,
                                const tally_histogram_t *histogram)
{
    uint64_t count = 0;
    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        char bound[32];
        snprintf(bound, sizeof(bound), "%g", (double)TALLY_BUCKET_MAX_US[i] / 1e6);
        count += tally_read(&histogram->buckets[i]);
        metrics_sample(writer, "_bucket", METRICS_LABELS({"cached", cached}, {"le", bound}), count);
    }
    count += tally_read(&histogram->buckets[TALLY_BUCKETS]);
    metrics_sample(writer, "_bucket", METRICS_LABELS({"cached", cached}, {"le", "+Inf"}), count);
    metrics_sample_real(writer, "_sum", METRICS_LABELS({"cached", cached}),
                        (double)tally_read(&histogram->sum_us) / 1e6);
    metrics_sample(writer, "_count", METRICS_LABELS({"cached", cached}), count);
    return count;
}

static void write_durations(metrics_writer_t *writer, const tally_t *tally)
{
    metrics_family(
        writer, "introspectd_request_duration_seconds", "histogram",
        "From the turn of the event loop in which a request was whole until its verdict was ready.");
    uint64_t misses = write_histogram(writer, "false", &tally->durations[false]);
    uint64_t hits = write_histogram(writer, "true", &tally->durations[true]);
    metrics_single(writer, "introspectd_cache_hits_total", "counter", "Verdicts that came from the cache.",
                   hits);
    metrics_single(writer, "introspectd_cache_misses_total", "counter",
                   "Verdicts that were not in the cache, for which a token was verified.", misses);
}

static void write_cache(metrics_writer_t *writer, const introspector_t *introspector)
{
    introspect_cache_stats_t stats;
    introspector_get_cache_stats(introspector, &stats);
    const cache_stats_t *parts[] = {&stats.active, &stats.inactive};
    metrics_family(writer, "introspectd_cache_entries", "gauge", "Verdicts in the cache.");
    for (size_t i = 0; i < 2; i++)
        metrics_sample(writer, "", METRICS_LABELS({"partition", PARTITIONS[i]}), parts[i]->entries);
    metrics_family(writer, "introspectd_cache_bytes", "gauge",
                   "What the cache's entries and tables take of cache.max_bytes.");
    for (size_t i = 0; i < 2; i++)
        metrics_sample(writer, "", METRICS_LABELS({"partition", PARTITIONS[i]}), parts[i]->bytes);
    metrics_family(writer, "introspectd_cache_evictions_total", "counter",
                   "Verdicts pushed out for want of room, since the present config was taken.");
    for (size_t i = 0; i < 2; i++)
        metrics_sample(writer, "", METRICS_LABELS({"partition", PARTITIONS[i]}), parts[i]->evictions);
    metrics_single(writer, "introspectd_cache_max_bytes", "gauge", "The config's cache.max_bytes.",
                   introspector_config(introspector)->cache.max_bytes);
}

typedef enum issuer_value { ISSUER_KEYS, ISSUER_AGE, ISSUER_FETCHES, ISSUER_FAILURES } issuer_value_t;

static uint64_t issuer_value(const config_issuer_t *issuer, issuer_value_t which)
{
    keyset_slot_status_t status;
    keyset_slot_get_status(issuer->keys, &status);
    int64_t age_s = clock_now_s() - status.refreshed_s;
    switch (which) {
    case ISSUER_KEYS:
        return status.key_count;
    case ISSUER_AGE:
        return age_s > 0 ? (uint64_t)age_s : 0;
    case ISSUER_FETCHES:
        return status.attempts;
    case ISSUER_FAILURES:
        break;
    }
    return status.failures;
}

static void write_issuers(metrics_writer_t *writer, const config_t *config)
{
    static const struct {
        const char *name;
        const char *type;
        const char *help;
        bool is_of_fetched;
    } FAMILIES[] = {
        [ISSUER_KEYS] = {"introspectd_issuer_keys", "gauge", "Keys that an issuer's tokens are verified by.",
                         false},
        [ISSUER_AGE] = {"introspectd_issuer_keys_age_seconds", "gauge",
                        "Time since an issuer's keys were last known to be current.", false},
        [ISSUER_FETCHES] = {"introspectd_key_fetches_total", "counter",
                            "Attempts to fetch an issuer's keys that have ended.", true},
        [ISSUER_FAILURES] = {"introspectd_key_fetch_failures_total", "counter",
                             "Attempts to fetch an issuer's keys that failed.", true},
    };
    for (size_t which = 0; which < sizeof(FAMILIES) / sizeof(FAMILIES[0]); which++) {
        metrics_family(writer, FAMILIES[which].name, FAMILIES[which].type, FAMILIES[which].help);
        for (size_t i = 0; i < config->issuer_count; i++) {
            const config_issuer_t *issuer = &config->issuers[i];
            if (!FAMILIES[which].is_of_fetched || keyset_slot_is_fetched(issuer->keys))
                metrics_sample(writer, "", METRICS_LABELS({"issuer", issuer->rules.issuer}),
                               issuer_value(issuer, (issuer_value_t)which));
        }
    }
}

static void write_reloads(metrics_writer_t *writer, const reload_counts_t *reloads)
{
    metrics_family(writer, "introspectd_config_reloads_total", "counter",
                   "Attempts to take the config anew.");
    metrics_sample(writer, "", METRICS_LABELS({"result", "applied"}), atomic_load(&reloads->applied));
    metrics_sample(writer, "", METRICS_LABELS({"result", "refused"}), atomic_load(&reloads->refused));
    metrics_single(writer, "introspectd_config_last_reload_successful", "gauge",
                   "0: the files have another config than the present one, which was refused.",
                   !atomic_load(&reloads->last_was_refused));
    metrics_single(writer, "introspectd_config_last_reload_timestamp_seconds", "gauge",
                   "When the present config was taken.", (uint64_t)atomic_load(&reloads->applied_s));
}

static void write_connections(metrics_writer_t *writer, const observed_t *observed, const tally_t *tally)
{
    metrics_single(writer, "introspectd_connections", "gauge", "Connections on the public listeners.",
                   connection_counts_total(observed->connections));
    metrics_single(writer, "introspectd_connections_accepted_total", "counter",
                   "Connections that were accepted on the public listeners.", tally_read(&tally->accepted));
    metrics_single(writer, "introspectd_waiting_tokens", "gauge", "New tokens that wait for verification.",
                   tally_read(&tally->waiting));
    metrics_family(writer, "introspectd_refusals_total", "counter",
                   "How often a limit was reached: a connection or a request was refused, or ended.");
    for (int i = 0; i < REFUSAL_COUNT; i++)
        metrics_sample(writer, "", METRICS_LABELS({"limit", refusals_name((refusal_t)i)}),
                       refusals_total((refusal_t)i));
}

static void write_logs(metrics_writer_t *writer)
{
    metrics_family(
        writer, "introspectd_log_lines_lost_total", "counter",
        "Lines that were dropped because they could not be written as fast as they came, or at all.");
    metrics_sample(writer, "", METRICS_LABELS({"log", "events"}), log_lost_total());
    metrics_sample(writer, "", METRICS_LABELS({"log", "access"}), access_log_lost_total());
}

static void write_state(metrics_writer_t *writer, const observed_t *observed, const config_t *config)
{
    bool is_draining = atomic_load(observed->is_draining);
    bool is_ready = !is_draining && readiness_of(config, readiness_count_lacking(config));
    metrics_single(writer, "introspectd_ready", "gauge", "Whether /readyz is 200.", is_ready);
    metrics_single(writer, "introspectd_draining", "gauge", "Whether the process is about to end.",
                   is_draining);
    metrics_single(writer, "introspectd_threads", "gauge", "Threads that answer requests.",
                   observed->tally_count);
    metrics_family(writer, "introspectd_build_info", "gauge", "What runs, as labels.");
    metrics_sample(writer, "",
                   METRICS_LABELS({"version", INTROSPECTD_VERSION}, {"libh2o", H2O_VERSION},
                                  {"openssl", OpenSSL_version(OPENSSL_VERSION_STRING)},
                                  {"jansson", jansson_version_str()}),
                   1);
}

static void write_process(metrics_writer_t *writer)
{
    process_stats_t stats;
    if (!process_stats_read(&stats))
        return;
    metrics_single_real(writer, "process_cpu_seconds_total", "counter",
                        "Processor time of the process, user and system.", stats.cpu_s);
    metrics_single(writer, "process_resident_memory_bytes", "gauge", "Memory that is resident.",
                   stats.resident_bytes);
    metrics_single(writer, "process_virtual_memory_bytes", "gauge", "Address space that is in use.",
                   stats.virtual_bytes);
    metrics_single(writer, "process_open_fds", "gauge", "Open file descriptors.", stats.open_fds);
    metrics_single(writer, "process_max_fds", "gauge", "How many file descriptors may be open.",
                   stats.max_fds);
    metrics_single(writer, "process_threads", "gauge", "Threads.", stats.threads);
    if (stats.start_time_s > 0)
        metrics_single_real(writer, "process_start_time_seconds", "gauge",
                            "When the process started, since the epoch.", stats.start_time_s);
}

static void write_all(metrics_writer_t *writer, const observed_t *observed,
                      const introspector_t *introspector)
{
    const config_t *config = introspector_config(introspector);
    tally_t tally;
    observed_sum(observed, &tally);
    write_requests(writer, &tally);
    write_reasons(writer, &tally);
    write_clients(writer, observed->clients);
    write_durations(writer, &tally);
    write_cache(writer, introspector);
    write_issuers(writer, config);
    write_reloads(writer, observed->reloads);
    write_connections(writer, observed, &tally);
    write_logs(writer);
    write_state(writer, observed, config);
    write_process(writer);
}

char *metrics_text(const observed_t *observed, const introspector_t *introspector)
{
    char *text = NULL;
    size_t len;
    metrics_writer_t writer = {.out = open_memstream(&text, &len)};
    if (writer.out == NULL)
        return NULL;
    write_all(&writer, observed, introspector);
    bool is_complete = ferror(writer.out) == 0;
    if (fclose(writer.out) == 0 && is_complete)
        return text;
    free(text);
    return NULL;
}
