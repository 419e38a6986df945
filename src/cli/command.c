#include "command.h"

#include "introspectd/server.h"

#include <getopt.h>
#include <stdio.h>

void command_print_version(void)
{
    puts("introspectd " INTROSPECTD_VERSION);
}

int command_common_option(int option, const char *command, const char *usage)
{
    switch (option) {
    case 'h':
        fputs(usage, stdout);
        return 0;
    case 'v':
        command_print_version();
        return 0;
    default: /* getopt_long has said what is wrong */
        fprintf(stderr, "introspectd %s: see `introspectd %s --help`\n", command, command);
        return EXIT_USAGE;
    }
}

int command_parse_config_option(int argc, char **argv, const char *usage, const char **config_file)
{
    static const struct option OPTIONS[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    const char *file = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        if (option != 'c')
            return command_common_option(option, argv[0], usage);
        file = optarg;
    }
    if (file == NULL || optind != argc) {
        fprintf(stderr, "introspectd %s: %s\n", argv[0],
                file == NULL ? "--config FILE is missing" : "takes options only");
        return command_common_option('?', argv[0], usage);
    }
    *config_file = file;
    return COMMAND_CONTINUE;
}

config_t *command_load_config(const char *config_file)
{
    config_error_t error;
    config_t *config = config_load(config_file, NULL, NULL, &error);
    if (config == NULL) {
        fprintf(stderr, "%s\n", error.text);
        return NULL;
    }
    server_error_t server_error;
    if (!server_check(config, &server_error)) {
        fprintf(stderr, "%s\n", server_error.text);
        config_free(config);
        return NULL;
    }
    return config;
}
