#include "introspectd/verify.h"

#include "introspectd/file.h"

#include "command.h"
#include "input.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_JWKS_BYTES = 16 * 1024 * 1024, MAX_LINE_BYTES = 16 * 1024 * 1024, KID_SHOWN_BYTES = 64 };

static const char USAGE[] =
    "Usage: introspectd verify --jwks FILE [--algorithms A,B,...]\n"
    "\n"
    "Reads tokens (JWS compact serialization), one a line, from standard input and prints `ok` or\n"
    "`refused REASON` for each. Signatures alone are checked: no claim, no time.\n"
    "\n"
    "  --jwks FILE         the keys: a JWK Set or a single JWK\n"
    "  --algorithms A,...  the algorithms to allow; by default all that are known:\n"
    "                      HS256 HS384 HS512 RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA\n"
    "  --help              this text\n"
    "  --version           the version\n"
    "\n"
    "Exit status: 0 when all tokens are good, 1 when one is refused, 78 when FILE cannot be used.\n";

typedef struct options {
    const char *jwks;
    algorithm_set_t algorithms;
} options_t;

static bool parse_algorithms(const char *list, algorithm_set_t *out)
{
    algorithm_set_t set = 0;
    for (const char *name = list;;) {
        size_t len = strcspn(name, ",");
        algorithm_t algorithm;
        if (!algorithm_from_name((slice_t){name, len}, &algorithm)) {
            fprintf(stderr, "introspectd verify: --algorithms: no algorithm '%.*s'\n", (int)len, name);
            return false;
        }
        set |= (algorithm_set_t)1 << algorithm;
        if (name[len] == '\0')
            break;
        name += len + 1;
    }
    *out = set;
    return true;
}

/* COMMAND_CONTINUE, or the exit status. */
static int parse_options(int argc, char **argv, options_t *out)
{
    static const struct option OPTIONS[] = {{"jwks", required_argument, NULL, 'j'},
                                            {"algorithms", required_argument, NULL, 'a'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    options_t options = {NULL, ALGORITHM_SET_ALL};
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option == 'j')
            options.jwks = optarg;
        else if (option != 'a')
            return command_common_option(option, argv[0], USAGE);
        else if (!parse_algorithms(optarg, &options.algorithms))
            return command_common_option('?', argv[0], USAGE);
    }
    if (options.jwks == NULL || optind != argc) {
        fprintf(stderr, "introspectd verify: %s\n",
                options.jwks == NULL ? "--jwks FILE is missing" : "takes options only");
        return command_common_option('?', argv[0], USAGE);
    }
    *out = options;
    return COMMAND_CONTINUE;
}

/* A kid comes from whoever wrote the file: nothing of it may act on the terminal. */
static void print_kid(slice_t kid)
{
    fputs(" (kid \"", stderr);
    for (size_t i = 0; i < kid.len && i < KID_SHOWN_BYTES; i++) {
        unsigned char c = (unsigned char)kid.base[i];
        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            fprintf(stderr, "\\x%02x", c);
        else
            fputc(c, stderr);
    }
    fputs(kid.len > KID_SHOWN_BYTES ? "...\")" : "\")", stderr);
}

static void print_note(void *data, const keyset_note_t *note)
{
    fprintf(stderr, "%s: key %zu", (const char *)data, note->index);
    if (note->kid.base != NULL)
        print_kid(note->kid);
    fprintf(stderr, ": %s: %s\n", note->is_skipped ? "skipped" : "warning", note->text);
}

static keyset_t *load_keys(const char *path)
{
    char *text = NULL;
    size_t len = 0;
    int error = file_read(path, MAX_JWKS_BYTES, &text, &len);
    if (error != 0) {
        fprintf(stderr, "introspectd verify: %s: %s\n", path, strerror(error));
        return NULL;
    }
    const char *problem = NULL;
    keyset_t *keyset = keyset_parse((slice_t){text, len}, print_note, (void *)path, &problem);
    file_free_secret(text, len);
    if (keyset == NULL)
        fprintf(stderr, "introspectd verify: %s: %s\n", path, problem);
    else if (keyset_size(keyset) == 0)
        fprintf(stderr, "%s: no usable key\n", path);
    return keyset;
}

static reason_t judge(verifier_t *verifier, const keyset_t *keyset, const verify_rules_t *rules,
                      slice_t token)
{
    compact_t compact;
    compact_header_t header;
    reason_t reason = compact_split(token, &compact);
    if (reason != REASON_NONE)
        return reason;
    reason = compact_parse_header(&compact, &header);
    if (reason != REASON_NONE)
        return reason;
    reason = verify_compact(verifier, keyset, rules, &compact, &header, NULL);
    compact_header_deinit(&header);
    return reason;
}

/* Flushed line by line: who holds the other end of both pipes waits for each answer. */
static bool print_verdict(reason_t reason)
{
    if (reason == REASON_NONE)
        puts("ok");
    else
        printf("refused %s\n", reason_name(reason));
    return fflush(stdout) == 0;
}

static int judge_all(line_reader_t *lines, verifier_t *verifier, const keyset_t *keyset,
                     const verify_rules_t *rules)
{
    int status = 0;
    for (;;) {
        slice_t token;
        line_status_t line = line_reader_next(lines, &token);
        if (line == LINE_END)
            return status;
        if (line == LINE_FAILED) {
            fprintf(stderr, "introspectd verify: standard input: %s\n", strerror(errno));
            return EXIT_OSERR;
        }
        reason_t reason = line == LINE_TOO_LONG ? REASON_TOO_LONG : judge(verifier, keyset, rules, token);
        if (!print_verdict(reason)) {
            fprintf(stderr, "introspectd verify: standard output: %s\n", strerror(errno));
            return EXIT_OSERR;
        }
        if (reason != REASON_NONE)
            status = EXIT_INACTIVE;
    }
}

int command_verify(int argc, char **argv)
{
    options_t options = {0};
    int status = parse_options(argc, argv, &options);
    if (status != COMMAND_CONTINUE)
        return status;
    keyset_t *keyset = load_keys(options.jwks);
    if (keyset == NULL)
        return EXIT_CONFIG;

    verifier_t *verifier = verifier_new();
    line_reader_t *lines = line_reader_new(STDIN_FILENO, MAX_LINE_BYTES);
    if (verifier != NULL && lines != NULL) {
        const verify_rules_t rules = {options.algorithms, VERIFY_DEFAULT_KEYS_TRIED};
        status = judge_all(lines, verifier, keyset, &rules);
    } else {
        fputs("introspectd verify: out of memory\n", stderr);
        status = EXIT_OSERR;
    }
    line_reader_free(lines);
    verifier_free(verifier);
    keyset_release(keyset);
    return status;
}
