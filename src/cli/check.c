#include "command.h"

#include "introspectd/config.h"

#include <stdio.h>

static const char USAGE[] = "Usage: introspectd check --config FILE\n"
                            "\n"
                            "Reads the config with all that it names and says what is wrong with it.\n"
                            "\n"
                            "  --config FILE  the YAML config\n"
                            "  --help         this text\n"
                            "  --version      the version\n"
                            "\n"
                            "Exit status: 0 when it can be served, 78 when not.\n";

int command_check(int argc, char **argv)
{
    const char *config_file = NULL;
    int status = command_parse_config_option(argc, argv, USAGE, &config_file);
    if (status != COMMAND_CONTINUE)
        return status;

    config_t *config = command_load_config(config_file);
    if (config == NULL)
        return EXIT_CONFIG;
    for (size_t i = 0; i < config->note_count; i++)
        fprintf(stderr, "%s\n", config->notes[i]);
    printf("%s: good: %zu issuers, %zu clients, %zu listeners\n", config->file, config->issuer_count,
           config->clients.count, config->listener_count);
    config_free(config);
    if (fflush(stdout) != 0) {
        perror("introspectd check: standard output");
        return EXIT_SOFTWARE;
    }
    return 0;
}
