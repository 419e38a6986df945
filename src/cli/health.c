#include "command.h"
#include "health_probe.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const char USAGE[] =
    "Usage: introspectd health --config FILE [--live]\n"
    "       introspectd health --address ADDRESS [--live]\n"
    "\n"
    "Asks a running introspectd on this machine whether it is ready for requests, for a container's health\n"
    "check. Of the config only `admin` is looked at, and no other file is read. It is the config as it is now:\n"
    "where it may be edited beneath the running process, which goes on by the last good one, ask by --address.\n"
    "\n"
    "  --config FILE      the YAML config of the one to ask\n"
    "  --address ADDRESS  its admin listener: IPv4:PORT, [IPv6]:PORT or unix:PATH\n"
    "  --live             ask whether it is alive, though it may not be ready\n"
    "  --help             this text\n"
    "  --version          the version\n"
    "\n"
    "Exit status: 0 if it is, 1 with one line that says why if not.\n";

enum { EXIT_HEALTHY = 0, EXIT_UNHEALTHY = 1 };

typedef struct options {
    const char *config_file;
    const char *address;
    bool asks_live;
} options_t;

static int fail(const char *text)
{
    fprintf(stderr, "introspectd health: %s\n", text);
    return EXIT_UNHEALTHY;
}

static int parse_options(int argc, char **argv, options_t *options)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'}, {"address", required_argument, NULL, 'a'},
        {"live", no_argument, NULL, 'l'},         {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            options->config_file = optarg;
            break;
        case 'a':
            options->address = optarg;
            break;
        case 'l':
            options->asks_live = true;
            break;
        default:
            return command_common_option(option, argv[0], USAGE);
        }
    }
    if ((options->config_file == NULL) == (options->address == NULL) || optind != argc) {
        fprintf(stderr, "introspectd health: %s\n",
                optind != argc ? "takes options only"
                               : "must have one of --config FILE and --address ADDRESS");
        return command_common_option('?', argv[0], USAGE);
    }
    return COMMAND_CONTINUE;
}

/* One issuer that /readyz names. False when its problem cannot be said. */
static bool print_problem(const json_t *problem)
{
    const char *issuer = json_string_value(json_object_get(problem, "issuer"));
    const char *what = json_string_value(json_object_get(problem, "problem"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    if (issuer == NULL || what == NULL)
        return false;
    fprintf(stderr, "; ");
    health_probe_print(stderr, issuer);
    fprintf(stderr, ": ");
    health_probe_print(stderr, what);
    if (detail != NULL) {
        fprintf(stderr, " (");
        health_probe_print(stderr, detail);
        fprintf(stderr, ")");
    }
    return true;
}

/* Says why not, as far as the answer tells. */
static int tell(const health_answer_t *answer)
{
    json_t *told = json_loadb(answer->body, answer->body_len, 0, NULL);
    fprintf(stderr, "introspectd health: HTTP status %d", answer->status);
    if (json_is_true(json_object_get(told, "draining")))
        fprintf(stderr, "; draining");
    size_t i;
    const json_t *problem;
    json_array_foreach(json_object_get(told, "issuers"), i, problem)
    {
        if (!print_problem(problem))
            break;
    }
    fprintf(stderr, "\n");
    json_decref(told);
    return EXIT_UNHEALTHY;
}

static int ask(const config_address_t *address, bool asks_live)
{
    char error[HEALTH_ERROR_SIZE];
    health_answer_t answer;
    if (!health_probe_ask(address, asks_live ? "/livez" : "/readyz", &answer, error))
        return fail(error);
    int status = answer.status == 200 ? EXIT_HEALTHY : tell(&answer);
    health_probe_answer_deinit(&answer);
    return status;
}

static int ask_by_config(const options_t *options)
{
    config_error_t error;
    config_t *config = config_load_admin(options->config_file, &error);
    if (config == NULL)
        return fail(error.text);
    int status;
    if (!config->has_admin)
        status =
            fail("the config has `admin: none`, so there is nothing to ask: take another HEALTHCHECK, or "
                 "name the admin listener of another config by --address");
    else if (config->admin.unix_path == NULL && config->admin.port == 0)
        status = fail("the config's admin listener takes any port: name the one it has by --address");
    else
        status = ask(&config->admin, options->asks_live);
    config_free(config);
    return status;
}

static int ask_by_address(const options_t *options)
{
    config_address_t address;
    int status;
    if (!config_address_parse(options->address, &address) || (address.unix_path == NULL && address.port == 0))
        status = fail("--address must be IPv4:PORT, [IPv6]:PORT or unix:PATH, with a numeric address");
    else
        status = ask(&address, options->asks_live);
    config_address_deinit(&address);
    return status;
}

int command_health(int argc, char **argv)
{
    options_t options = {0};
    int status = parse_options(argc, argv, &options);
    if (status != COMMAND_CONTINUE)
        return status;
    return options.address != NULL ? ask_by_address(&options) : ask_by_config(&options);
}
