#include "command.h"

#include "introspectd/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command_t;

static const command_t COMMANDS[] = {
    {"serve", command_serve, "run the introspection endpoint"},
    {"check", command_check, "check a config and say what is wrong with it"},
    {"explain", command_explain, "say what becomes of a token, and why"},
    {"health", command_health, "ask a running one whether it is ready, for a container's health check"},
    {"verify", command_verify, "check the signatures of tokens against a JWK Set"},
    {"mint", command_mint, "sign a token, for trying things out"},
    {"keygen", command_keygen, "make a signing key, for trying things out"},
};
enum { COMMAND_COUNT = sizeof(COMMANDS) / sizeof(COMMANDS[0]) };

static void print_usage(FILE *out)
{
    fputs("Usage: introspectd COMMAND [OPTIONS]\n\nAn OAuth 2.0 token introspection endpoint for "
          "self-contained JWTs.\n\nCommands:\n",
          out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fputs("\n`introspectd COMMAND --help` describes a command; --version prints the version.\n", out);
}

/*
 * Fills the place of a standard descriptor that the process was started without, so that no file or socket of
 * ours gets there and hears what is written to it. Open the wrong way round, it still fails what is read from
 * it or written to it, as a closed one does.
 */
static bool fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) != -1 || errno != EBADF)
            continue;
        /* The lowest place that is free is this one. */
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!fill_standard_descriptors()) {
        fputs("introspectd: /dev/null cannot be opened in the place of a closed standard descriptor\n",
              stderr);
        return EXIT_OSERR;
    }
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        command_print_version();
        return 0;
    }
    /* A seed of its own per process: an attacker who writes member names must not be able to aim at hash
     * buckets. */
    json_object_seed(0);
    json_init();
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) == 0)
            return COMMANDS[i].run(argc - 1, argv + 1);
    }
    fprintf(stderr, "introspectd: no command '%s'; see `introspectd --help`\n", argv[1]);
    return EXIT_USAGE;
}
