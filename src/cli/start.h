/*
 * start: all between a good config and the first request, in the order that least privilege asks for: sockets
 * are bound, root is given up, system calls are filtered, and only then are there threads. Main thread only.
 */
#ifndef INTROSPECTD_CLI_START_H
#define INTROSPECTD_CLI_START_H

#include "reload.h"

/*
 * Starts the server and fills reload->present, ->server and ->threads; config, whose files reload->watch has
 * taken as good, is taken over. 0, or the exit status after one line on standard error; nothing then runs,
 * and config is freed.
 */
int start_server(reload_t *reload, config_t *take_config) __attribute__((warn_unused_result));

#endif
