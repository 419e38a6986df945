#include "command.h"

#include "introspectd/config.h"
#include "introspectd/cpu_quota.h"
#include "introspectd/introspect.h"
#include "introspectd/log.h"
#include "introspectd/server.h"

#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

static const char USAGE[] =
    "Usage: introspectd serve --config FILE\n"
    "\n"
    "Runs the introspection endpoint until SIGTERM or SIGINT.\n"
    "\n"
    "  --config FILE  the YAML config\n"
    "  --help         this text\n"
    "  --version      the version\n"
    "\n"
    "Logs JSON lines to standard error. Exit status: 0 after a clean stop, 78 for a bad config,\n"
    "71 when it cannot start (a port in use, for example).\n";

/* Blocked in every thread, so that they come to sigwait and nowhere else. */
static void block_signals(sigset_t *stop_signals)
{
    sigemptyset(stop_signals);
    sigaddset(stop_signals, SIGTERM);
    sigaddset(stop_signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, stop_signals, NULL);
    /* A peer that goes away shows as an error of write(). */
    signal(SIGPIPE, SIG_IGN);
}

/* A connection is a descriptor; the soft limit is often 1024. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void log_notes(const config_t *config)
{
    for (size_t i = 0; i < config->note_count; i++)
        log_event(LOG_LEVEL_WARN, "config_note", json_pack("{s:s}", "note", config->notes[i]));
}

static int serve_until_stopped(const config_t *config, introspector_t *introspector,
                               const sigset_t *stop_signals)
{
    unsigned threads = config->threads != 0 ? config->threads : cpu_quota_threads("/proc", "/sys/fs/cgroup");
    server_error_t error;
    server_t *server = server_start(config, introspector, threads, &error);
    if (server == NULL) {
        fprintf(stderr, "introspectd: %s\n", error.text);
        return EXIT_OSERR;
    }
    log_notes(config);
    log_event(LOG_LEVEL_INFO, "started",
              json_pack("{s:s, s:s, s:i, s:I, s:I}", "version", INTROSPECTD_VERSION, "config", config->file,
                        "threads", (int)threads, "issuers", (json_int_t)config->issuer_count, "clients",
                        (json_int_t)config->clients.count));

    int received = 0;
    while (sigwait(stop_signals, &received) != 0)
        ;
    log_event(LOG_LEVEL_INFO, "stopping", json_pack("{s:s}", "signal", sigabbrev_np(received)));
    size_t cut_off_count = server_stop(server);
    log_event(cut_off_count == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "stopped",
              json_pack("{s:I}", "requests_cut_off", (json_int_t)cut_off_count));
    return 0;
}

int command_serve(int argc, char **argv)
{
    const char *config_file = NULL;
    int status = command_parse_config_option(argc, argv, USAGE, &config_file);
    if (status != COMMAND_CONTINUE)
        return status;

    sigset_t stop_signals;
    block_signals(&stop_signals);
    raise_descriptor_limit();
    config_t *config = command_load_config(config_file);
    if (config == NULL)
        return EXIT_CONFIG;
    introspector_t *introspector = introspector_new(config);
    if (introspector == NULL) {
        fprintf(stderr, "introspectd: out of memory for the cache\n");
        status = EXIT_OSERR;
    } else {
        status = serve_until_stopped(config, introspector, &stop_signals);
    }
    introspector_free(introspector);
    config_free(config);
    return status;
}
