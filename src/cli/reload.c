#include "reload.h"

#include "key_sources.h"

#include "introspectd/log.h"

#include <stdio.h>

enum {
    /* How long the keys of new issuers are waited for. */
    MAX_WAIT_MS = 10000,
    /* When a good config is tried again that could not be taken: its address was taken, say. */
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

introspector_t *reload_load(reload_t *reload, config_error_t *error)
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
    introspector_t *introspector = NULL;
    if (key_sources_open(reload->refresher, config))
        introspector = introspector_new(config);
    else
        config_free(config);
    if (introspector == NULL)
        snprintf(error->text, sizeof(error->text), "%s: out of memory", reload->config_file);
    return introspector;
}

static void refuse(reload_t *reload, const char *error)
{
    file_watch_reject(reload->watch);
    log_event(LOG_LEVEL_ERROR, "config_refused",
              json_pack("{s:s, s:s}", "trigger", reload->trigger, "error", error));
    introspector_release(reload->next);
    reload->next = NULL;
}

/* An issuer whose file lost its keys: a set without a usable key never replaces a good one. NULL: none. */
static const config_issuer_t *find_lost_keys(const config_t *next, const config_t *present)
{
    for (size_t i = 0; i < next->issuer_count; i++) {
        const config_issuer_t *issuer = &next->issuers[i];
        const config_issuer_t *before = config_find_issuer(present, slice_of(issuer->rules.issuer));
        if (issuer->jwks_file != NULL && before != NULL && !config_issuer_has_keys(issuer) &&
            config_issuer_has_keys(before))
            return issuer;
    }
    return NULL;
}

void reload_begin(reload_t *reload, const char *trigger, int64_t now_ms)
{
    introspector_release(reload->next);
    reload->retry_ms = 0;
    reload->trigger = trigger;
    reload->deadline_ms = now_ms + MAX_WAIT_MS;
    config_error_t error;
    reload->next = reload_load(reload, &error);
    if (reload->next == NULL) {
        refuse(reload, error.text);
        return;
    }
    const config_t *next = introspector_config(reload->next);
    const config_issuer_t *lost = find_lost_keys(next, introspector_config(reload->present));
    if (lost != NULL) {
        snprintf(error.text, sizeof(error.text), "%s:%u: issuers[%zu].jwks_file: no usable key any more",
                 next->file, lost->jwks_file_line, (size_t)(lost - next->issuers));
        refuse(reload, error.text);
    }
}

static void note_what_needs_a_start(const reload_t *reload, const config_t *next)
{
    if (next->threads != 0 && next->threads != reload->threads)
        log_event(LOG_LEVEL_WARN, "config_note",
                  json_pack("{s:s}", "note", "threads: takes effect at the next start"));
}

static void finish(reload_t *reload, int64_t now_ms)
{
    const config_t *next = introspector_config(reload->next);
    server_error_t error;
    if (!server_reload(reload->server, reload->next, &error)) {
        refuse(reload, error.text);
        reload->retry_ms = now_ms + RETRY_MS;
        return;
    }
    file_watch_commit(reload->watch);
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

bool reload_advance(reload_t *reload, int64_t now_ms)
{
    if (reload->next == NULL && reload->retry_ms != 0 && now_ms >= reload->retry_ms)
        reload_begin(reload, "retry", now_ms);
    if (reload->next == NULL)
        return false;
    if (refresher_is_settled(reload->refresher) || now_ms >= reload->deadline_ms)
        finish(reload, now_ms);
    return reload->next != NULL;
}

void reload_deinit(reload_t *reload)
{
    introspector_release(reload->next);
    introspector_release(reload->present);
    reload->next = reload->present = NULL;
}
