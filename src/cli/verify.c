#include "command.h"

int command_verify(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return EXIT_SOFTWARE;
}
