#include "key_source.h"

#include "discovery.h"
#include "key_report.h"
#include "key_settings.h"
#include "schedule.h"
#include "url.h"

#include "introspectd/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

/* How long a discovered place is taken for the current one; one that lacks a key which tokens name is in
 * doubt. */
static const int64_t discovery_max_age_ms = INT64_C(3600) * 1000;
static const int64_t doubtful_max_age_ms = INT64_C(60) * 1000;

typedef enum stage { STAGE_IDLE, STAGE_OPENID, STAGE_OAUTH, STAGE_KEYS } stage_t;

struct key_source {
    key_source_settings_t settings;
    fetcher_t *fetcher;
    keyset_slot_t *slot;
    atomic_bool is_settled;
    _Atomic int64_t success_ms; /* when the slot's keys were last known to be current; INT64_MIN: never */
    bool has_keys;
    schedule_t schedule;
    stage_t stage;
    fetch_t *fetch; /* that runs */
    char *url;      /* of the last request */
    char *jwks_uri; /* discovered; NULL: not yet, or in doubt */
    int64_t discovered_ms;
    bool is_asked_for;   /* by a token that names a key which is not there: the running attempt */
    bool is_in_doubt;    /* jwks_uri: it did not have that key */
    char *etag;          /* of the slot's keys; NULL: none */
    char *etag_url;      /* where it came from */
    bool is_conditional; /* the running request sends the ETag */
    char problem[KEYSET_SLOT_PROBLEM_SIZE];
};

static void forget_etag(key_source_t *source)
{
    free(source->etag);
    free(source->etag_url);
    source->etag = source->etag_url = NULL;
}

static uint32_t random_number(void)
{
    uint32_t random = 0;
    /* Without one there is no jitter, and nothing worse. */
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        return 0;
    return random;
}

/* The keys of another source, if they are of use here and not stale; NULL else. */
static keyset_t *inherit(key_source_t *source, key_source_t *like)
{
    /* In this order the time is never later than the keys deserve. */
    int64_t success_ms = atomic_load(&like->success_ms);
    keyset_t *keyset = keyset_slot_acquire_keys(like->slot);
    if (keyset == NULL)
        return NULL;
    if (success_ms == INT64_MIN || schedule_stale_ms(&source->schedule, success_ms) <= clock_monotonic_ms() ||
        !keyset_is_usable(keyset, source->settings.algorithms)) {
        keyset_release(keyset);
        return NULL;
    }
    atomic_store(&source->success_ms, success_ms);
    atomic_store(&source->is_settled, true);
    source->has_keys = true;
    return keyset;
}

key_source_t *key_source_new(const key_source_settings_t *settings, fetcher_t *fetcher,
                             keyset_slot_wake_cb *wake, void *wake_data, key_source_t *like)
{
    key_source_t *source = calloc(1, sizeof(*source));
    if (source == NULL)
        return NULL;
    atomic_init(&source->success_ms, INT64_MIN);
    atomic_init(&source->is_settled, false);
    source->fetcher = fetcher;
    if (!key_settings_copy(settings, &source->settings)) {
        free(source);
        return NULL;
    }
    source->schedule.bounds = (schedule_bounds_t){
        .refresh_min_s = settings->refresh_min_s,
        .refresh_max_s = settings->refresh_max_s,
        .cooldown_s = settings->cooldown_s,
        .stale_max_s = settings->stale_max_s,
    };
    keyset_t *keyset = like == NULL ? NULL : inherit(source, like);
    source->slot = keyset_slot_new(keyset, wake, wake_data);
    if (source->slot == NULL) {
        keyset_release(keyset);
        key_source_free(source);
        return NULL;
    }
    return source;
}

void key_source_free(key_source_t *source)
{
    if (source == NULL)
        return;
    fetcher_cancel(source->fetcher, source->fetch);
    keyset_slot_release(source->slot);
    key_settings_deinit(&source->settings);
    free(source->url);
    free(source->jwks_uri);
    forget_etag(source);
    free(source);
}

keyset_slot_t *key_source_slot(const key_source_t *source)
{
    return source->slot;
}

const key_source_settings_t *key_source_settings(const key_source_t *source)
{
    return &source->settings;
}

bool key_source_is_settled(const key_source_t *source)
{
    return atomic_load(&source->is_settled);
}

/* Adds "URL: what is wrong" to what went wrong before in the same attempt. */
static void add_problem(key_source_t *source, const char *problem)
{
    char url[URL_BARE_SIZE];
    size_t len = strlen(source->problem);
    url_copy_bare(source->url == NULL ? source->settings.issuer : source->url, url);
    snprintf(source->problem + len, sizeof(source->problem) - len, "%s%s: %s", len == 0 ? "" : "; ", url,
             problem);
}

/* Ends the attempt; source->problem says why. */
static void fail(key_source_t *source, int64_t retry_after_s)
{
    char url[URL_BARE_SIZE];
    int64_t now_ms = clock_monotonic_ms();
    source->stage = STAGE_IDLE;
    /* The place may have moved. */
    free(source->jwks_uri);
    source->jwks_uri = NULL;
    schedule_fail(&source->schedule, now_ms, retry_after_s, random_number());
    keyset_slot_set_outcome(source->slot, source->problem);
    url_copy_bare(source->url == NULL ? source->settings.issuer : source->url, url);
    const key_report_failure_t failure = {
        .issuer = source->settings.issuer,
        .url = url,
        .problem = source->problem,
        .failures = source->schedule.failures,
        .retry_in_s = (schedule_due_ms(&source->schedule, false) - now_ms + 999) / 1000,
        .has_keys = source->has_keys,
    };
    key_report_failed(&failure);
    atomic_store(&source->is_settled, true);
}

static void fail_with(key_source_t *source, const char *problem, int64_t retry_after_s)
{
    add_problem(source, problem);
    fail(source, retry_after_s);
}

static void succeed(key_source_t *source, const fetch_result_t *result)
{
    int64_t now_ms = clock_monotonic_ms();
    source->stage = STAGE_IDLE;
    schedule_succeed(&source->schedule, now_ms, result->has_lifetime, result->lifetime_s, random_number());
    atomic_store(&source->success_ms, now_ms);
    keyset_slot_set_outcome(source->slot, NULL);
    atomic_store(&source->is_settled, true);
}

static void finish_request(void *data, const fetch_result_t *result);

/* Starts one request of the attempt. url is copied; false when memory cannot be had. */
static bool begin_request(key_source_t *source, stage_t stage, const char *url)
{
    char *copy = strdup(url);
    if (copy == NULL)
        return false;
    free(source->url);
    source->url = copy;
    source->stage = stage;
    source->is_conditional =
        stage == STAGE_KEYS && source->etag != NULL && strcmp(source->etag_url, copy) == 0;
    const fetch_request_t request = {
        .url = copy,
        .etag = source->is_conditional ? source->etag : NULL,
        .allow_http = source->settings.allow_http,
        .ca_file = source->settings.ca_file,
        .connect_timeout_s = source->settings.connect_timeout_s,
        .timeout_s = source->settings.fetch_timeout_s,
        .max_bytes = source->settings.max_bytes,
    };
    source->fetch = fetcher_start(source->fetcher, &request, finish_request, source);
    return source->fetch != NULL;
}

static bool begin_document(key_source_t *source, stage_t stage)
{
    discovery_form_t form = stage == STAGE_OPENID ? DISCOVERY_OPENID : DISCOVERY_OAUTH;
    char *url = discovery_url(source->settings.issuer, form);
    bool is_begun = url != NULL && begin_request(source, stage, url);
    free(url);
    return is_begun;
}

static void begin_attempt(key_source_t *source, int64_t now_ms)
{
    const key_source_settings_t *settings = &source->settings;
    const char *place = settings->jwks_url;
    int64_t max_age_ms = source->is_in_doubt ? doubtful_max_age_ms : discovery_max_age_ms;
    source->is_asked_for = keyset_slot_is_wanted(source->slot);
    /* Before the request: a token that names a new key while it runs asks again. */
    keyset_slot_take_want(source->slot);
    schedule_start(&source->schedule, now_ms);
    source->problem[0] = '\0';
    if (place == NULL && now_ms - source->discovered_ms < max_age_ms)
        place = source->jwks_uri;
    if (place == NULL && !discovery_is_possible(settings->issuer, settings->allow_http))
        fail_with(source, "keys cannot be discovered from an issuer that is not a plain https URL", 0);
    else if (place == NULL ? !begin_document(source, STAGE_OPENID)
                           : !begin_request(source, STAGE_KEYS, place))
        fail_with(source, "out of memory", 0);
}

/* Why no 200 came, written into out if it has to be; NULL when one did. */
static const char *refusal(const fetch_result_t *result, char *out, size_t size)
{
    if (result->problem[0] != '\0')
        return result->problem;
    if (result->status == 200)
        return NULL;
    snprintf(out, size, "status %ld", result->status);
    return out;
}

static void take_document(key_source_t *source, const fetch_result_t *result)
{
    char status[32];
    char *jwks_uri = NULL;
    const char *problem = refusal(result, status, sizeof(status));
    if (problem == NULL)
        problem = discovery_read((slice_t){result->body, result->body_len}, source->settings.issuer,
                                 source->settings.allow_http, &jwks_uri);
    if (problem == NULL) {
        free(source->jwks_uri);
        source->jwks_uri = jwks_uri;
        source->discovered_ms = clock_monotonic_ms();
        source->is_in_doubt = false;
        source->problem[0] = '\0';
        if (!begin_request(source, STAGE_KEYS, jwks_uri))
            fail_with(source, "out of memory", 0);
        return;
    }
    add_problem(source, problem);
    /* Who does not answer at all, or asks for peace, is not asked for the other document. */
    bool is_other_worthwhile =
        source->stage == STAGE_OPENID && result->status != 0 && result->retry_after_s == 0;
    if (!is_other_worthwhile)
        fail(source, result->retry_after_s);
    else if (!begin_document(source, STAGE_OAUTH))
        fail_with(source, "out of memory", 0);
}

static void remember_etag(key_source_t *source, const char *etag)
{
    forget_etag(source);
    if (etag[0] == '\0')
        return;
    source->etag = strdup(etag);
    source->etag_url = strdup(source->url);
    if (source->etag == NULL || source->etag_url == NULL)
        forget_etag(source);
}

static void put(key_source_t *source, keyset_t *keyset, key_report_t *report)
{
    keyset_t *current = keyset_slot_acquire_keys(source->slot);
    source->is_in_doubt = source->is_asked_for;
    if (current == NULL || !keyset_equal(current, keyset)) {
        source->is_in_doubt = false;
        char url[URL_BARE_SIZE];
        url_copy_bare(source->url, url);
        keyset_slot_set_keys(source->slot, keyset_acquire(keyset));
        source->has_keys = true;
        key_report_changed(report, source->settings.issuer, url, keyset);
    }
    keyset_release(current);
}

static void take_set(key_source_t *source, const fetch_result_t *result)
{
    key_report_t report = {0};
    const char *error = NULL;
    keyset_t *keyset =
        keyset_parse((slice_t){result->body, result->body_len}, key_report_note, &report, &error);
    if (keyset == NULL) {
        fail_with(source, error, 0);
    } else if (!keyset_is_usable(keyset, source->settings.algorithms)) {
        char problem[FETCH_PROBLEM_SIZE] = "no usable key";
        if (report.first_skipped != NULL)
            snprintf(problem, sizeof(problem), "no usable key (keys[%zu]: %s)", report.first_skipped_index,
                     report.first_skipped);
        fail_with(source, problem, 0);
    } else {
        put(source, keyset, &report);
        remember_etag(source, result->etag);
        succeed(source, result);
    }
    keyset_release(keyset);
    key_report_deinit(&report);
}

static void finish_request(void *data, const fetch_result_t *result)
{
    key_source_t *source = data;
    char status[32];
    source->fetch = NULL;
    if (source->stage != STAGE_KEYS) {
        take_document(source, result);
        return;
    }
    /* The keys may have been given up while the request ran; then there is nothing that stays the same. */
    if (result->status == 304 && result->problem[0] == '\0' && source->is_conditional &&
        source->etag != NULL) {
        source->is_in_doubt = source->is_asked_for;
        succeed(source, result);
        return;
    }
    const char *problem = refusal(result, status, sizeof(status));
    if (problem == NULL)
        take_set(source, result);
    else
        fail_with(source, problem, result->retry_after_s);
}

static int64_t stale_ms(const key_source_t *source)
{
    return source->has_keys ? schedule_stale_ms(&source->schedule, atomic_load(&source->success_ms))
                            : INT64_MAX;
}

static void give_up_keys(key_source_t *source)
{
    char url[URL_BARE_SIZE];
    const char *place =
        source->settings.jwks_url == NULL ? source->settings.issuer : source->settings.jwks_url;
    url_copy_bare(place, url);
    source->has_keys = false;
    forget_etag(source);
    keyset_slot_set_keys(source->slot, NULL);
    key_report_stale(source->settings.issuer, url, source->settings.stale_max_s);
}

void key_source_step(key_source_t *source, int64_t now_ms)
{
    if (now_ms >= stale_ms(source))
        give_up_keys(source);
    if (source->stage == STAGE_IDLE &&
        now_ms >= schedule_due_ms(&source->schedule, keyset_slot_is_wanted(source->slot)))
        begin_attempt(source, now_ms);
}

int64_t key_source_due_ms(const key_source_t *source)
{
    int64_t due_ms = stale_ms(source);
    if (source->stage == STAGE_IDLE) {
        int64_t attempt_ms = schedule_due_ms(&source->schedule, keyset_slot_is_wanted(source->slot));
        due_ms = attempt_ms < due_ms ? attempt_ms : due_ms;
    }
    return due_ms;
}
