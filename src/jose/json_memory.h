/*
 * json_memory: where jansson's memory comes from and goes to. Internal to jose.
 */
#ifndef INTROSPECTD_JOSE_JSON_MEMORY_H
#define INTROSPECTD_JOSE_JSON_MEMORY_H

#include <stdbool.h>

/* Makes jansson use it; json.h says what for. */
void json_memory_init(void);

/* Whether an allocation of jansson's failed in this thread since it was last reset. */
extern _Thread_local bool json_memory_ran_out;

#endif
