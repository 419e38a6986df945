#include "start.h"

#include "command.h"
#include "core_dumps.h"
#include "descriptors.h"
#include "privileges.h"
#include "syscall_filter.h"

#include "introspectd/cpu_quota.h"
#include "introspectd/log.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int fail(int status, const char *text)
{
    log_flush();
    fprintf(stderr, "introspectd: %s\n", text);
    return status;
}

static descriptor_demand_t demand_of(const config_t *config, unsigned threads)
{
    descriptor_demand_t demand = {.threads = threads,
                                  .public_listeners = config->listener_count,
                                  .admin_listeners = config->has_admin ? 1 : 0,
                                  .log_files = config->access_log.file != NULL};
    for (size_t i = 0; i < config->issuer_count; i++)
        demand.fetched_issuers += config->issuers[i].jwks_file == NULL;
    return demand;
}

/* The path of the i-th address when it is a Unix socket's; the admin's is the last. */
static const char *unix_path(const config_t *config, size_t i)
{
    return i < config->listener_count ? config->listeners[i].address.unix_path : config->admin.unix_path;
}

/* Those that were bound here: whoever passed a socket has given its file to whom it should belong. */
static bool give_socket_files(const server_t *server, const config_t *config, privileges_error_t *error)
{
    for (size_t i = 0; i <= config->listener_count; i++) {
        const char *path = unix_path(config, i);
        if (path != NULL && server_owns_socket_file(server, path) &&
            !privileges_give_socket_file(&config->user, path, error))
            return false;
    }
    return true;
}

typedef struct notes {
    const config_t *config;
    char user[PRIVILEGES_USER_SIZE];
} notes_t;

static void note(const notes_t *notes, const char *path, const char *what)
{
    /* A path need not be UTF-8. */
    json_t *text = json_sprintf("%s: user: %s %s %s", notes->config->file, path, what, notes->user);
    if (text == NULL)
        text = json_sprintf("user: a path of the config %s %s", what, notes->user);
    log_event(LOG_LEVEL_WARN, "config_note", json_pack("{s:o}", "note", text));
}

static void note_unreadable(void *data, const char *path)
{
    if (access(path, R_OK) != 0)
        note(data, path, "cannot be read, so that every reload will be refused, by");
}

/* What worked as root and will not again. */
static void note_what_is_lost(const reload_t *reload, const config_t *config)
{
    notes_t notes = {.config = config};
    privileges_user_text(&config->user, notes.user);
    file_watch_each(reload->watch, note_unreadable, &notes);
    for (size_t i = 0; i <= config->listener_count; i++) {
        char directory[PATH_MAX];
        const char *path = unix_path(config, i);
        if (path == NULL || !server_owns_socket_file(reload->server, path))
            continue;
        snprintf(directory, sizeof(directory), "%s", path);
        if (access(dirname(directory), W_OK | X_OK) != 0)
            note(&notes, path, "cannot be removed at the end, nor bound again by a reload, by");
    }
}

/* From root, if it is so, to what the config says. */
static int confine(const reload_t *reload, const config_t *config)
{
    privileges_error_t error;
    bool is_changing = privileges_will_change(&config->user);
    if (is_changing && !give_socket_files(reload->server, config, &error))
        return fail(EXIT_OSERR, error.text);
    if (!privileges_become(&config->user, &error))
        return fail(EXIT_OSERR, error.text);
    /* The kernel forbids core files when the user changes, whatever was so before. */
    core_dumps_allow(config->allows_core_dumps);
    if (is_changing)
        note_what_is_lost(reload, config);
    char filter_error[SYSCALL_FILTER_ERROR_SIZE];
    bool has_log_file = config->access_log.target == CONFIG_LOG_FILE;
    if (config->filters_syscalls && !syscall_filter_install(has_log_file, filter_error))
        return fail(EXIT_OSERR, filter_error);
    return 0;
}

/* Threads, and from then on connections. On failure config is still the caller's, or reload->present's. */
static int run(reload_t *reload, config_t *take_config)
{
    config_error_t error;
    server_error_t server_error;
    if (!log_start_writer())
        return fail(EXIT_OSERR, "out of memory or threads");
    reload->present = reload_new_introspector(reload, take_config, &error);
    if (reload->present == NULL)
        return fail(EXIT_OSERR, error.text);
    if (!server_start(reload->server, reload->present, reload->threads, &server_error))
        return fail(EXIT_OSERR, server_error.text);
    return 0;
}

static int open_and_run(reload_t *reload, config_t *take_config)
{
    privileges_error_t error;
    server_error_t server_error;
    char limit_error[DESCRIPTORS_ERROR_SIZE];
    if (!privileges_may_become(&take_config->user, &error))
        return fail(EXIT_NOPERM, error.text);
    descriptor_demand_t demand = demand_of(take_config, reload->threads);
    if (!descriptors_suffice(&demand, limit_error))
        return fail(EXIT_OSERR, limit_error);
    uint64_t max_connections = descriptors_for_connections(&demand);
    const server_sockets_t passed = {reload->systemd.sockets, reload->systemd.socket_count};
    reload->server = server_open(take_config, passed, &server_error);
    if (reload->server == NULL)
        return fail(EXIT_OSERR, server_error.text);
    server_bound_connections(reload->server, max_connections);
    int status = confine(reload, take_config);
    return status != 0 ? status : run(reload, take_config);
}

int start_server(reload_t *reload, config_t *take_config)
{
    reload->threads =
        take_config->threads != 0 ? take_config->threads : cpu_quota_threads("/proc", "/sys/fs/cgroup");
    int status = open_and_run(reload, take_config);
    if (status == 0)
        return 0;
    server_close(reload->server);
    reload->server = NULL;
    /* The introspector has the config when there is one. */
    if (reload->present == NULL)
        config_free(take_config);
    introspector_release(reload->present);
    reload->present = NULL;
    return status;
}
