#include "command.h"
#include "core_dumps.h"
#include "descriptors.h"
#include "privileges.h"
#include "reload.h"
#include "start.h"

#include "introspectd/clock.h"
#include "introspectd/log.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char USAGE[] =
    "Usage: introspectd serve --config FILE\n"
    "\n"
    "Runs the introspection endpoint until SIGTERM or SIGINT. SIGHUP, or a change of the config or of a file\n"
    "that it names, makes it take everything anew; while something is wrong with that, it goes on as it was.\n"
    "SIGUSR1 makes it open the access log's file anew. A further SIGTERM or SIGINT ends what it waits for in the\n"
    "end: first the drain_delay, if there is one, then the requests in flight.\n"
    "\n"
    "  --config FILE  the YAML config\n"
    "  --help         this text\n"
    "  --version      the version\n"
    "\n"
    "Logs JSON lines to standard error. Exit status: 0 after a clean stop, 78 for a bad config,\n"
    "71 when it cannot start (a port in use, for example), 77 when it may not become the config's user.\n";

/* How long a thread's end may go unnoticed in a stop. */
enum { STOP_TURN_MS = 20 };

/* As the process was started. */
static bool hangup_is_ignored;

/* A descriptor that the signals come to. Blocked in every thread, they come nowhere else. -1 when there is
 * none. */
static int take_signals(void)
{
    struct sigaction hangup;
    hangup_is_ignored = sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    /* A peer that goes away shows as an error of write(). */
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

typedef enum wish { WISH_NONE, WISH_RELOAD, WISH_REOPEN_LOGS, WISH_STOP } wish_t;

/* What the signal that came asks for, if one came; *signal_number is for people. */
static wish_t next_wish(int signal_fd, int *signal_number)
{
    struct signalfd_siginfo info;
    if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return WISH_NONE;
    *signal_number = (int)info.ssi_signo;
    if (info.ssi_signo == SIGUSR1)
        return WISH_REOPEN_LOGS;
    if (info.ssi_signo != SIGHUP)
        return WISH_STOP;
    if (info.ssi_code != SI_KERNEL)
        return WISH_RELOAD;
    /* The kernel sends it when the terminal goes: nobody is left to stop what was started there, unless that
     * was meant to outlive it (nohup). */
    return hangup_is_ignored ? WISH_NONE : WISH_STOP;
}

/* Reloads until a signal asks for the end, and gives that. */
static int wait_for_stop(reload_t *reload, int signal_fd)
{
    struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN},
                           {.fd = file_watch_fd(reload->watch), .events = POLLIN}};
    for (;;) {
        int wait_ms;
        if (file_watch_check(reload->watch, clock_monotonic_ms(), &wait_ms))
            reload_begin(reload, "files", clock_monotonic_ms());
        int reload_wait_ms = reload_advance(reload, clock_monotonic_ms());
        if (reload_wait_ms < wait_ms)
            wait_ms = reload_wait_ms;
        int feed_wait_ms = systemd_feed_watchdog(&reload->systemd, reload->server, clock_monotonic_ms());
        if (feed_wait_ms < wait_ms)
            wait_ms = feed_wait_ms;
        (void)poll(fds, sizeof(fds) / sizeof(fds[0]), wait_ms);
        int signal_number = 0;
        wish_t wish = next_wish(signal_fd, &signal_number);
        if (wish == WISH_RELOAD)
            reload_begin(reload, "signal", clock_monotonic_ms());
        else if (wish == WISH_REOPEN_LOGS)
            server_reopen_logs(reload->server);
        else if (wish == WISH_STOP)
            return signal_number;
    }
}

/* Serves on for so long, or until another signal asks for the end. What changed meanwhile is not taken in. */
static void wait_for_drain_delay(server_t *server, int signal_fd, int64_t delay_s)
{
    int64_t end_ms = clock_monotonic_ms() + delay_s * 1000;
    for (int64_t now_ms; (now_ms = clock_monotonic_ms()) < end_ms;) {
        struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN}};
        int signal_number;
        (void)poll(fds, 1, (int)(end_ms - now_ms));
        wish_t wish = next_wish(signal_fd, &signal_number);
        if (wish == WISH_REOPEN_LOGS)
            server_reopen_logs(server);
        else if (wish == WISH_STOP)
            return;
    }
}

/* Lets what is in flight finish, or ends it when another signal asks for the end. How many were cut off. */
static size_t stop(server_t *server, int signal_fd)
{
    server_begin_stop(server);
    while (!server_has_stopped(server)) {
        struct pollfd fds[] = {{.fd = signal_fd, .events = POLLIN}};
        int signal_number;
        (void)poll(fds, 1, STOP_TURN_MS);
        wish_t wish = next_wish(signal_fd, &signal_number);
        if (wish == WISH_REOPEN_LOGS)
            server_reopen_logs(server);
        if (wish != WISH_STOP)
            continue;
        log_event(LOG_LEVEL_WARN, "stopping_at_once",
                  json_pack("{s:s}", "signal", sigabbrev_np(signal_number)));
        server_cut_off(server);
    }
    return server_finish_stop(server);
}

static void log_started(const reload_t *reload, uint64_t max_open_files)
{
    const config_t *config = introspector_config(reload->present);
    reload_log_notes(config);
    log_event(LOG_LEVEL_INFO, "started",
              json_pack("{s:s, s:s, s:i, s:I, s:I, s:I}", "version", INTROSPECTD_VERSION, "config",
                        config->file, "threads", (int)reload->threads, "issuers",
                        (json_int_t)config->issuer_count, "clients", (json_int_t)config->clients.count,
                        "open_files", (json_int_t)max_open_files));
}

static void serve_until_stopped(reload_t *reload, int signal_fd)
{
    int received = wait_for_stop(reload, signal_fd);
    const config_t *config = introspector_config(reload->present);
    int64_t delay_s = config->drain_delay_s;
    systemd_tell_stopping(&reload->systemd, delay_s + config->shutdown_timeout_s);
    log_event(
        LOG_LEVEL_INFO, "stopping",
        json_pack("{s:s, s:I}", "signal", sigabbrev_np(received), "drain_delay_s", (json_int_t)delay_s));
    server_announce_stop(reload->server);
    wait_for_drain_delay(reload->server, signal_fd, delay_s);
    size_t cut_off_count = stop(reload->server, signal_fd);
    log_event(cut_off_count == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "stopped",
              json_pack("{s:I}", "requests_cut_off", (json_int_t)cut_off_count));
}

static int load_and_serve(reload_t *reload, int signal_fd, uint64_t max_open_files)
{
    config_error_t error;
    config_t *config = reload_load_config(reload, &error);
    if (config == NULL) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_CONFIG;
    }
    file_watch_commit(reload->watch);
    int status = start_server(reload, config);
    if (status != 0)
        return status;
    log_started(reload, max_open_files);
    systemd_tell_ready(&reload->systemd, NULL);
    serve_until_stopped(reload, signal_fd);
    reload_deinit(reload);
    return 0;
}

static int fail(const char *text)
{
    fprintf(stderr, "introspectd: %s\n", text);
    return EXIT_OSERR;
}

/* What only the process has, then the rest. */
static int set_up_and_serve(reload_t *reload)
{
    privileges_error_t error;
    char limit_error[DESCRIPTORS_ERROR_SIZE];
    char passed_error[SYSTEMD_ERROR_SIZE];
    if (!systemd_init(&reload->systemd, passed_error))
        return fail(passed_error);
    if (!privileges_forbid_gain(&error))
        return fail(error.text);
    /* A connection is a descriptor; the soft limit is often 1024. */
    uint64_t max_open_files = descriptors_raise_limit();
    if (!descriptors_suffice(&DESCRIPTOR_DEMAND_LEAST, limit_error))
        return fail(limit_error);
    int signal_fd = take_signals();
    reload->refresher = refresher_new();
    reload->watch = file_watch_new();
    int status;
    if (signal_fd == -1 || reload->refresher == NULL || reload->watch == NULL)
        status = fail("out of memory, descriptors or threads");
    else
        status = load_and_serve(reload, signal_fd, max_open_files);
    file_watch_free(reload->watch);
    refresher_free(reload->refresher);
    if (signal_fd != -1)
        close(signal_fd);
    systemd_deinit(&reload->systemd);
    return status;
}

int command_serve(int argc, char **argv)
{
    reload_t reload = {0};
    int status = command_parse_config_option(argc, argv, USAGE, &reload.config_file);
    if (status != COMMAND_CONTINUE)
        return status;

    /* Before there are secrets here; the config, which says whether it may be so, names them. */
    core_dumps_allow(false);
    status = set_up_and_serve(&reload);
    log_stop_writer();
    return status;
}
