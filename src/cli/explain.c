#include "command.h"
#include "input.h"
#include "key_sources.h"

#include "introspectd/clock.h"
#include "introspectd/compact.h"
#include "introspectd/explanation.h"
#include "introspectd/file.h"
#include "introspectd/json.h"
#include "introspectd/log.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char USAGE[] =
    "Usage: introspectd explain --config FILE [--client ID] [--json] < TOKEN\n"
    "\n"
    "Reads one token from standard input and says what becomes of it: verdict, reason, issuer, key, times,\n"
    "and the answer that the client would get. Keys that are fetched are fetched now.\n"
    "\n"
    "  --config FILE  the YAML config\n"
    "  --client ID    decide for this client; without it for every client of the config\n"
    "  --json         print JSON\n"
    "  --help         this text\n"
    "  --version      the version\n"
    "\n"
    "Exit status: 0 when the token is active (for one client at least), 1 when not, 64 for a wrong use,\n"
    "78 for a bad config.\n";

/* No config allows a longer token. */
enum { MAX_INPUT_BYTES = 16 * 1024 * 1024 };

typedef struct options {
    const char *config_file;
    const char *client_id;
    bool json;
} options_t;

static int parse_options(int argc, char **argv, options_t *out)
{
    static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'}, {"client", required_argument, NULL, 'i'},
        {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},      {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case 'c':
            out->config_file = optarg;
            break;
        case 'i':
            out->client_id = optarg;
            break;
        case 'j':
            out->json = true;
            break;
        default:
            return command_common_option(option, argv[0], USAGE);
        }
    }
    if (out->config_file == NULL || optind != argc) {
        fprintf(stderr, "introspectd %s: %s\n", argv[0],
                out->config_file == NULL ? "--config FILE is missing"
                                         : "takes options only; the token comes from standard input");
        return command_common_option('?', argv[0], USAGE);
    }
    return COMMAND_CONTINUE;
}

static bool print(const explanation_t *explanation, bool as_json)
{
    if (!as_json)
        return explanation_print(explanation, stdout);
    json_t *json = explanation_to_json(explanation);
    bool is_printed = json != NULL && json_dumpf(json, stdout, JSON_INDENT(2)) == 0;
    json_decref(json);
    putchar('\n');
    return is_printed;
}

static int report(introspect_worker_t *worker, slice_t token, const client_t *clients, size_t count,
                  bool as_json)
{
    explanation_t *explanation = explanation_new(worker, token, clients, count, clock_now_s());
    if (explanation == NULL) {
        perror("introspectd explain");
        return EXIT_SOFTWARE;
    }
    bool is_active = explanation_is_active(explanation);
    bool is_printed = print(explanation, as_json);
    explanation_free(explanation);
    if (!is_printed || fflush(stdout) != 0) {
        perror("introspectd explain: standard output");
        return EXIT_SOFTWARE;
    }
    return is_active ? EXIT_ACTIVE : EXIT_INACTIVE;
}

static int explain_token(introspector_t *introspector, const options_t *options, slice_t token)
{
    const config_t *config = introspector_config(introspector);
    const client_t *clients = config->clients.clients;
    size_t count = config->clients.count;
    if (options->client_id != NULL) {
        clients = client_set_find(&config->clients, slice_of(options->client_id));
        count = 1;
        if (clients == NULL) {
            fprintf(stderr, "introspectd explain: the config has no client '%s'\n", options->client_id);
            return EXIT_USAGE;
        }
    }
    introspect_worker_t *worker = introspect_worker_new(introspector);
    if (worker == NULL) {
        fprintf(stderr, "introspectd explain: out of memory\n");
        return EXIT_SOFTWARE;
    }
    int status = report(worker, token, clients, count, options->json);
    introspect_worker_free(worker);
    return status;
}

/* The issuer that the token names, not verified; NULL when it names none of the config's. */
static const config_issuer_t *named_issuer(const config_t *config, slice_t token)
{
    compact_t compact;
    json_t *payload = NULL;
    if (compact_split(token, &compact) != REASON_NONE ||
        compact_parse_payload(&compact, &payload) != REASON_NONE)
        return NULL;
    slice_t name = json_get_string(payload, "iss");
    const config_issuer_t *issuer = name.base == NULL ? NULL : config_find_issuer(config, name);
    json_decref(payload);
    return issuer;
}

/* Until the first attempt has ended, which it does within its own timeouts. */
static void wait_for_keys(const config_issuer_t *issuer)
{
    static const struct timespec TURN = {.tv_nsec = 5000000};
    keyset_slot_status_t keys;
    for (;;) {
        keyset_slot_get_status(issuer->keys, &keys);
        if (keys.key_count > 0 || keys.problem[0] != '\0')
            break;
        nanosleep(&TURN, NULL);
    }
    if (keys.problem[0] != '\0')
        fprintf(stderr, "introspectd explain: %s: %s\n", issuer->rules.issuer, keys.problem);
}

/* Takes config. */
static int explain_with_keys(config_t *take_config, const options_t *options, slice_t token)
{
    refresher_t *refresher = NULL;
    bool is_ready = true;
    if (key_sources_are_fetched(take_config)) {
        refresher = refresher_new();
        is_ready = refresher != NULL && key_sources_open(refresher, take_config);
        const config_issuer_t *issuer = is_ready ? named_issuer(take_config, token) : NULL;
        if (issuer != NULL)
            wait_for_keys(issuer);
    }
    introspector_t *introspector = is_ready ? introspector_new(take_config) : NULL;
    if (introspector == NULL)
        config_free(take_config);
    int status = EXIT_SOFTWARE;
    if (introspector == NULL)
        fprintf(stderr, "introspectd explain: out of memory\n");
    else
        status = explain_token(introspector, options, token);
    introspector_release(introspector);
    refresher_free(refresher);
    return status;
}

int command_explain(int argc, char **argv)
{
    options_t options = {0};
    int status = parse_options(argc, argv, &options);
    if (status != COMMAND_CONTINUE)
        return status;
    /* This one reports to people, line by line. */
    log_silence();
    config_t *config = command_load_config(options.config_file);
    if (config == NULL)
        return EXIT_CONFIG;

    char *input = NULL;
    size_t input_len = 0;
    int problem = input_read("-", MAX_INPUT_BYTES, &input, &input_len);
    if (problem != 0) {
        fprintf(stderr, "introspectd explain: standard input: %s\n", strerror(problem));
        status = EXIT_USAGE;
        config_free(config);
    } else {
        status = explain_with_keys(config, &options, explanation_trim((slice_t){input, input_len}));
    }
    file_free_secret(input, input_len);
    return status;
}
