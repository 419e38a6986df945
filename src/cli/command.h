/*
 * command: what the files of the command line share. One file a command; main.c only dispatches.
 */
#ifndef INTROSPECTD_CLI_COMMAND_H
#define INTROSPECTD_CLI_COMMAND_H

/* Exit statuses: those of sysexits.h where they exist, so that a supervisor can tell a bad config from a crash. */
enum {
    EXIT_ACTIVE = 0,
    EXIT_INACTIVE = 1,
    EXIT_USAGE = 64,    /* EX_USAGE */
    EXIT_SOFTWARE = 70, /* EX_SOFTWARE */
    EXIT_OSERR = 71,    /* EX_OSERR */
    EXIT_CONFIG = 78    /* EX_CONFIG */
};

/* Each command gets its own arguments, argv[0] being the command's name, and gives the exit status. */
int command_serve(int argc, char **argv);
int command_check(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_verify(int argc, char **argv);
int command_mint(int argc, char **argv);
int command_keygen(int argc, char **argv);

/* Prints the version line, for --version on each command. */
void command_print_version(void);

#endif
