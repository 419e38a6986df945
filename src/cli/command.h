/*
 * command: what the files of the command line share. One file a command; main.c only dispatches.
 */
#ifndef INTROSPECTD_CLI_COMMAND_H
#define INTROSPECTD_CLI_COMMAND_H

#include "introspectd/config.h"

/* Exit statuses: those of sysexits.h where they exist, so that a supervisor can tell a bad config from a
 * crash. */
enum {
    EXIT_ACTIVE = 0,
    EXIT_INACTIVE = 1,
    EXIT_USAGE = 64,    /* EX_USAGE */
    EXIT_SOFTWARE = 70, /* EX_SOFTWARE */
    EXIT_OSERR = 71,    /* EX_OSERR */
    EXIT_NOPERM = 77,   /* EX_NOPERM */
    EXIT_CONFIG = 78    /* EX_CONFIG */
};

/* What an option parser gives when the command is to go on; not an exit status. */
enum { COMMAND_CONTINUE = -1 };

/* Each command gets its own arguments, argv[0] being the command's name, and gives the exit status. */
int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_mint(int argc, char **argv);
int command_health(int argc, char **argv);
int command_keygen(int argc, char **argv);

/* Prints the version line, for --version on each command. */
void command_print_version(void);

/*
 * Parses the options of a command that takes --config FILE alone. COMMAND_CONTINUE with *config_file set, or
 * the exit status after --help, --version or a wrong use, which it has reported.
 */
int command_parse_config_option(int argc, char **argv, const char *usage, const char **config_file);

/* What getopt_long gave for an option that every command has (`h`, `v`, or one it does not know): the exit
 * status. */
int command_common_option(int option, const char *command, const char *usage);

/* Loads a config, with the certificates that it names; NULL after printing its one line of error to standard
 * error. The caller frees it. */
config_t *command_load_config(const char *config_file);

#endif
