/*
 * core_dumps: whether the memory of this process, with the secrets in it, may become a core file or be read
 * by a debugger of the same user (prctl(2), PR_SET_DUMPABLE).
 *
 * One state for the whole process: main thread only.
 */
#ifndef INTROSPECTD_CLI_CORE_DUMPS_H
#define INTROSPECTD_CLI_CORE_DUMPS_H

#include <stdbool.h>

/* The first call forbids them and takes note of what was so before; `true` goes back to that. */
void core_dumps_allow(bool is_allowed);

#endif
