#include "command.h"

int command_keygen(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return EXIT_SOFTWARE;
}
