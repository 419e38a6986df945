/*
 * json: strict JSON objects out of hostile bytes, and back.
 *
 * The values are jansson's. Refused are repeated members at any depth (RFC 7515 section 4, RFC 7519 section
 * 4) and nesting over JSON_MAX_DEPTH, so that the stack never is the bound. Any thread.
 */
#ifndef INTROSPECTD_JSON_H
#define INTROSPECTD_JSON_H

#include "introspectd/slice.h"

#include <jansson.h>

enum { JSON_MAX_DEPTH = 64 };

/*
 * Once, before there are threads: makes jansson overwrite all memory that it gives back, since keys and
 * tokens lie in it, and json_ran_out_of_memory tell the truth.
 */
void json_init(void);

/*
 * Between the two calls jansson's memory in this thread is a small block of the thread's own, and malloc's
 * when that is used up: taking costs next to nothing, giving back nothing, and all is overwritten at once at
 * the end. Every value that was made in between must have been released when json_arena_close is called, or
 * the process is aborted. No other thread may release one: nothing would notice. Pairs do not nest. Nothing
 * changes without json_init.
 */
void json_arena_open(void);
void json_arena_close(void);

/*
 * Parses text, whole, as one JSON object. NULL when it is none: not JSON (RFC 8259), not UTF-8, a lone
 * surrogate or U+0000 in a string, a number that overflows, a repeated member, too deep, anything behind the
 * object but white space. The caller releases the result with json_decref.
 */
json_t *json_parse_object(slice_t text) __attribute__((warn_unused_result));

/* Whether memory ran out in this thread since its last call of json_parse_object began: what that refused may
 * be good then. jansson's own errors do not tell. */
bool json_ran_out_of_memory(void);

/*
 * Writes value as JSON without white space, members in the order in which they were added, as json_dumpb does
 * with JSON_COMPACT; it takes no memory, so it cannot fail, but for a fraction, which is left out when there
 * is none. Gives the bytes that the whole takes: if they are more than size, out holds rubbish. value is a
 * tree (no container holds itself) of UTF-8, and is not changed.
 */
size_t json_write(json_t *value, char *out, size_t size);

/* The string member of that name as a borrowed slice; absent when there is none or it is not a string. */
slice_t json_get_string(const json_t *object, const char *name);

#endif
