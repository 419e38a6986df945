#include "reload.h"

#include "core_dumps.h"
#include "key_sources.h"

#include "introspectd/log.h"

#include <limits.h>
#include <stdio.h>

enum {
    /* How long the keys of new issuers are waited for, and how often they are looked for. */
    MAX_WAIT_MS = 10000,
    WAIT_TURN_MS = 20,
    /* When what was refused is tried again. */
    RETRY_MS = 5000
};

void reload_log_notes(const config_t *config)
{
    for (size_t i = 0; i < config->note_count; i++)
        log_event(LOG_LEVEL_WARN, "config_note", json_pack("{s:s}", "note", config->notes[i]));
}

static void on_file(void *data, const char *path)
{
    if (!file_watch_add(data, path))
        log_event(LOG_LEVEL_WARN, "config_note",
                  json_pack("{s:s}", "note", "out of memory: changes of a file will not be seen"));
}

config_t *reload_load_config(reload_t *reload, config_error_t *error)
{
    file_watch_begin(reload->watch);
    config_t *config = config_load(reload->config_file, on_file, reload->watch, error);
    if (config == NULL)
        return NULL;
    server_error_t server_error;
    if (!server_check(config, &server_error)) {
        snprintf(error->text, sizeof(error->text), "%s", server_error.text);
        config_free(config);
        return NULL;
    }
    return config;
}

introspector_t *reload_new_introspector(reload_t *reload, config_t *take_config, config_error_t *error)
{
    introspector_t *introspector =
        key_sources_open(reload->refresher, take_config) ? introspector_new(take_config) : NULL;
    if (introspector == NULL)
        snprintf(error->text, sizeof(error->text), "%s: out of memory", reload->config_file);
    return introspector;
}

static introspector_t *load(reload_t *reload, config_error_t *error)
{
    config_t *config = reload_load_config(reload, error);
    if (config == NULL)
        return NULL;
    introspector_t *introspector = reload_new_introspector(reload, config, error);
    if (introspector == NULL)
        config_free(config);
    return introspector;
}

/* Cut by whole characters until it is UTF-8: an error's text may have been cut anywhere. */
static json_t *to_json_text(const char *text)
{
    json_t *json = NULL;
    for (size_t len = strlen(text); json == NULL && len > 0; len--)
        json = json_stringn(text, len);
    return json;
}

/* Leaves the present config, and comes back to it; the same reason is logged once. */
static void refuse(reload_t *reload, const char *error, int64_t now_ms)
{
    file_watch_reject(reload->watch);
    reload->retry_ms = now_ms + RETRY_MS;
    server_note_refused_reload(reload->server);
    if (strcmp(reload->refusal.text, error) == 0)
        return;
    snprintf(reload->refusal.text, sizeof(reload->refusal.text), "%s", error);
    log_event(LOG_LEVEL_ERROR, "config_refused",
              json_pack("{s:s, s:o}", "trigger", reload->trigger, "error", to_json_text(error)));
}

static bool loses_keys(const config_issuer_t *issuer, const config_issuer_t *before)
{
    return before != NULL && !config_issuer_has_keys(issuer) && config_issuer_has_keys(before);
}

/* A place without a usable key never replaces a good one. True with *error filled. */
static bool has_lost_keys(const config_t *next, const config_t *present, config_error_t *error)
{
    for (size_t i = 0; i < next->issuer_count; i++) {
        const config_issuer_t *issuer = &next->issuers[i];
        if (!loses_keys(issuer, config_find_issuer(present, slice_of(issuer->rules.issuer))))
            continue;
        keyset_slot_status_t keys;
        keyset_slot_get_status(issuer->keys, &keys);
        snprintf(error->text, sizeof(error->text), "%s:%u: issuers[%zu]%s: no usable key any more%s%s",
                 next->file, issuer->keys_line, i, issuer->jwks_file == NULL ? "" : ".jwks_file",
                 keys.problem[0] == '\0' ? "" : ": ", keys.problem);
        return true;
    }
    return false;
}

/* What lacked keys before lacks them since then. */
static void keep_times(const config_t *next, const config_t *present)
{
    for (size_t i = 0; i < next->issuer_count; i++) {
        const config_issuer_t *issuer = &next->issuers[i];
        const config_issuer_t *before = config_find_issuer(present, slice_of(issuer->rules.issuer));
        if (before != NULL && !config_issuer_has_keys(issuer) && !config_issuer_has_keys(before))
            keyset_slot_keep_time(issuer->keys, before->keys);
    }
}

static void load_next(reload_t *reload, int64_t now_ms)
{
    /* Released after: key sources that stay are then shared, with the time of their last fetch. */
    introspector_t *before = reload->next;
    config_error_t error;
    if (before == NULL || now_ms >= reload->deadline_ms)
        reload->deadline_ms = now_ms + MAX_WAIT_MS;
    reload->retry_ms = 0;
    reload->next = load(reload, &error);
    introspector_release(before);
    if (reload->next == NULL)
        refuse(reload, error.text, now_ms);
}

void reload_begin(reload_t *reload, const char *trigger, int64_t now_ms)
{
    reload->trigger = trigger;
    reload->refusal.text[0] = '\0';
    load_next(reload, now_ms);
}

static void note_next_start(const char *note)
{
    log_event(LOG_LEVEL_WARN, "config_note", json_pack("{s:s}", "note", note));
}

static bool is_same_user(const config_user_t *a, const config_user_t *b)
{
    return a->is_given == b->is_given && a->uid == b->uid && a->gid == b->gid &&
           (a->name == NULL) == (b->name == NULL);
}

static void note_what_needs_a_start(const reload_t *reload, const config_t *next)
{
    const config_t *present = introspector_config(reload->present);
    if (next->threads != 0 && next->threads != reload->threads)
        note_next_start("threads: takes effect at the next start");
    if (!is_same_user(&next->user, &present->user))
        note_next_start("user: takes effect at the next start");
    if (next->filters_syscalls != present->filters_syscalls)
        note_next_start("seccomp: takes effect at the next start");
}

static void take_next(reload_t *reload)
{
    const config_t *next = introspector_config(reload->next);
    file_watch_commit(reload->watch);
    core_dumps_allow(next->allows_core_dumps);
    reload_log_notes(next);
    note_what_needs_a_start(reload, next);
    log_event(LOG_LEVEL_INFO, "config_reloaded",
              json_pack("{s:s, s:s, s:I, s:I, s:I}", "trigger", reload->trigger, "config", next->file,
                        "issuers", (json_int_t)next->issuer_count, "clients", (json_int_t)next->clients.count,
                        "listeners", (json_int_t)next->listener_count));
    introspector_release(reload->present);
    reload->present = reload->next;
    reload->next = NULL;
}

static void finish(reload_t *reload, int64_t now_ms)
{
    const config_t *next = introspector_config(reload->next);
    const config_t *present = introspector_config(reload->present);
    config_error_t error;
    server_error_t server_error;
    if (has_lost_keys(next, present, &error)) {
        refuse(reload, error.text, now_ms);
        return;
    }
    keep_times(next, present);
    if (server_reload(reload->server, reload->next, &server_error))
        take_next(reload);
    else
        refuse(reload, server_error.text, now_ms);
}

int reload_advance(reload_t *reload, int64_t now_ms)
{
    bool is_retry = reload->retry_ms != 0 && now_ms >= reload->retry_ms;
    if (is_retry)
        reload->retry_ms = 0;
    if (is_retry && reload->next == NULL)
        load_next(reload, now_ms);
    if (reload->next != NULL && reload->retry_ms == 0 &&
        (refresher_is_settled(reload->refresher) || now_ms >= reload->deadline_ms))
        finish(reload, now_ms);
    if (reload->retry_ms != 0)
        return (int)(reload->retry_ms - now_ms);
    return reload->next == NULL ? INT_MAX : WAIT_TURN_MS;
}

void reload_deinit(reload_t *reload)
{
    introspector_release(reload->next);
    introspector_release(reload->present);
    reload->next = reload->present = NULL;
}
