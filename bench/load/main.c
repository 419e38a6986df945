/*
 * load: asks a server about many tokens, over HTTP/1.1 or HTTP/2 in cleartext, which h2load cannot do: it
 * sends one body. One thread; prints one line of JSON.
 */
#include "run.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "Usage: load --port P --tokens FILE [OPTIONS]\n"
    "\n"
    "  --port P          of 127.0.0.1\n"
    "  --tokens FILE     one token a line, all of one length\n"
    "  --protocol X      h1 (the default) or h2c; tls-h1 and tls-h2 are the same over TLS\n"
    "  --path PATH       /introspect by default\n"
    "  --connections N   1 by default\n"
    "  --in-flight N     requests on each connection, 1 by default\n"
    "  --requests N      how many, 1000 by default\n"
    "  --seconds S       begin none later than this\n"
    "  --pool N          only the first N tokens\n"
    "  --offset N        start with this token\n"
    "  --choice X        sequential (the default), uniform or zipf\n"
    "  --exponent E      of zipf, 1 by default\n"
    "  --seed N          of uniform and zipf, 1 by default\n"
    "  --json            bodies of JSON, not forms\n"
    "  --header N:V      another header\n";

enum { NUMBER_MAX = INT32_MAX };

typedef struct options {
    run_settings_t run;
    bodies_settings_t bodies;
    const protocol_t *protocol;
} options_t;

static uint64_t parse_number(const char *text, uint64_t min, uint64_t max)
{
    char *end = NULL;
    uintmax_t value = strtoumax(text, &end, 10);
    if (end == text || *end != '\0' || value < min || value > max)
        run_fail("not a number, or out of range");
    return value;
}

static double parse_fraction(const char *text)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0))
        run_fail("not a number, or negative");
    return value;
}

static void parse_protocol(options_t *options, const char *text)
{
    static const struct {
        const char *name;
        const protocol_t *protocol;
        bool is_tls;
    } PROTOCOLS[] = {{"h1", &HTTP1_PROTOCOL, false},
                     {"h2c", &HTTP2_PROTOCOL, false},
                     {"tls-h1", &HTTP1_PROTOCOL, true},
                     {"tls-h2", &HTTP2_PROTOCOL, true}};
    for (size_t i = 0; i < sizeof(PROTOCOLS) / sizeof(PROTOCOLS[0]); i++) {
        if (strcmp(text, PROTOCOLS[i].name) == 0) {
            options->protocol = PROTOCOLS[i].protocol;
            options->run.is_tls = PROTOCOLS[i].is_tls;
            return;
        }
    }
    run_fail("no such protocol");
}

static bodies_choice_t parse_choice(const char *text)
{
    static const char *const NAMES[] = {"sequential", "uniform", "zipf"};
    for (int i = BODIES_SEQUENTIAL; i <= BODIES_ZIPF; i++) {
        if (strcmp(text, NAMES[i]) == 0)
            return (bodies_choice_t)i;
    }
    run_fail("no such choice");
}

static void parse_header(run_settings_t *run, const char *text)
{
    char *copy = strdup(text);
    char *colon = copy == NULL ? NULL : strchr(copy, ':');
    if (colon == NULL || run->header_count == RUN_HEADERS_MAX - 1)
        run_fail("a header without a colon, or too many of them");
    *colon = '\0';
    run->headers[run->header_count++] = (run_header_t){copy, colon + 1 + strspn(colon + 1, " ")};
}

static void parse_option(int option, options_t *options)
{
    switch (option) {
    case 'p':
        options->run.port = (uint16_t)parse_number(optarg, 1, UINT16_MAX);
        break;
    case 't':
        options->bodies.file = optarg;
        break;
    case 'P':
        parse_protocol(options, optarg);
        break;
    case 'a':
        options->run.path = optarg;
        break;
    case 'c':
        options->run.connections = parse_number(optarg, 1, NUMBER_MAX);
        break;
    case 'm':
        options->run.in_flight = parse_number(optarg, 1, NUMBER_MAX);
        break;
    case 'n':
        options->run.requests = parse_number(optarg, 1, UINT64_MAX);
        break;
    case 's':
        options->run.seconds = parse_fraction(optarg);
        break;
    case 'l':
        options->bodies.pool = parse_number(optarg, 1, NUMBER_MAX);
        break;
    case 'o':
        options->bodies.offset = parse_number(optarg, 0, UINT64_MAX);
        break;
    case 'C':
        options->bodies.choice = parse_choice(optarg);
        break;
    case 'e':
        options->bodies.exponent = parse_fraction(optarg);
        break;
    case 'S':
        options->bodies.seed = parse_number(optarg, 0, UINT64_MAX);
        break;
    case 'j':
        options->bodies.is_json = true;
        break;
    case 'H':
        parse_header(&options->run, optarg);
        break;
    default:
        fputs(USAGE, stderr);
        exit(64);
    }
}

static options_t parse_options(int argc, char **argv)
{
    static const struct option OPTIONS[] = {
        {"port", required_argument, NULL, 'p'},        {"tokens", required_argument, NULL, 't'},
        {"protocol", required_argument, NULL, 'P'},    {"path", required_argument, NULL, 'a'},
        {"connections", required_argument, NULL, 'c'}, {"in-flight", required_argument, NULL, 'm'},
        {"requests", required_argument, NULL, 'n'},    {"seconds", required_argument, NULL, 's'},
        {"pool", required_argument, NULL, 'l'},        {"offset", required_argument, NULL, 'o'},
        {"choice", required_argument, NULL, 'C'},      {"exponent", required_argument, NULL, 'e'},
        {"seed", required_argument, NULL, 'S'},        {"json", no_argument, NULL, 'j'},
        {"header", required_argument, NULL, 'H'},      {NULL, 0, NULL, 0}};
    options_t options = {
        .run = {.path = "/introspect", .connections = 1, .in_flight = 1, .requests = 1000},
        .bodies = {.exponent = 1, .seed = 1},
        .protocol = &HTTP1_PROTOCOL,
    };
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1)
        parse_option(option, &options);
    if (options.run.port == 0 || options.bodies.file == NULL)
        parse_option('?', &options);
    return options;
}

static void print_result(const run_t *run)
{
    printf("{\"requests\":%" PRIu64 ",\"seconds\":%.6f,\"by_status\":{", run->answered, run->seconds);
    const char *separator = "";
    for (int status = 0; status <= RUN_STATUS_MAX; status++) {
        if (run->by_status[status] > 0) {
            printf("%s\"%d\":%" PRIu64, separator, status, run->by_status[status]);
            separator = ",";
        }
    }
    printf("},\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f}\n", latency_quantile_us(&run->latency, 0.5),
           latency_quantile_us(&run->latency, 0.99), latency_quantile_us(&run->latency, 0.999));
}

int main(int argc, char **argv)
{
    static run_t run;
    bodies_t bodies;
    options_t options = parse_options(argc, argv);
    run_header_t *type = &options.run.headers[options.run.header_count++];
    *type = (run_header_t){"content-type",
                           options.bodies.is_json ? "application/json" : "application/x-www-form-urlencoded"};
    const char *problem = bodies_init(&bodies, &options.bodies);
    if (problem != NULL)
        run_fail(problem);
    run.settings = &options.run;
    run.bodies = &bodies;
    run_all(&run, options.protocol);
    print_result(&run);
    bodies_deinit(&bodies);
    return 0;
}
