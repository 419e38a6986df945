/*
 * reload: takes a changed config into a running server, all or nothing. Used by the main thread only.
 *
 * A reload has two steps, because keys of issuers that are new in the config should be there before the first
 * request is decided with them: reload_begin loads, reload_advance goes on when the keys are there, or when
 * they were waited for long enough. What was refused is tried again every few seconds, since the fault may be
 * the moment's: no descriptors, an address that is still taken, a provider that is down.
 */
#ifndef INTROSPECTD_CLI_RELOAD_H
#define INTROSPECTD_CLI_RELOAD_H

#include "systemd.h"

#include "introspectd/file_watch.h"
#include "introspectd/introspect.h"
#include "introspectd/refresher.h"
#include "introspectd/server.h"

typedef struct reload {
    const char *config_file;
    refresher_t *refresher;
    file_watch_t *watch;
    systemd_t systemd; /* is told of reloads */
    server_t *server;
    unsigned threads;        /* that run */
    introspector_t *present; /* held */
    introspector_t *next;    /* held; NULL: no reload is under way */
    const char *trigger;     /* of the one under way */
    int64_t deadline_ms;     /* how long it waits for keys */
    int64_t retry_ms;        /* when what was refused is tried again; 0: nothing was */
    config_error_t refusal;  /* why, as it was logged */
} reload_t;

/*
 * Loads the config with the files that it names, told to reload->watch. NULL with *error filled. The watch's
 * set is left open: the caller ends it.
 */
config_t *reload_load_config(reload_t *reload, config_error_t *error) __attribute__((warn_unused_result));

/*
 * Opens the config's key sources, from the first of which on the refresher has a thread, and takes the
 * config. NULL with *error filled; the config is then still the caller's.
 */
introspector_t *reload_new_introspector(reload_t *reload, config_t *take_config, config_error_t *error)
    __attribute__((warn_unused_result));

/* Begins a reload, or begins again when one is under way. trigger is what the log says caused it; static. */
void reload_begin(reload_t *reload, const char *trigger, int64_t now_ms);

/* Goes on with what is under way, if it can. How many milliseconds to wait at most until the next call. */
int reload_advance(reload_t *reload, int64_t now_ms);

/* Drops what is under way, and the present introspector. */
void reload_deinit(reload_t *reload);

/* Logs what an operator should know about config though it is no error. */
void reload_log_notes(const config_t *config);

#endif
