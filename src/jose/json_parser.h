/*
 * json_parser: strict JSON out of hostile bytes, as jansson's values. Internal to jose; any thread.
 *
 * Takes what json_loadb takes with JSON_REJECT_DUPLICATES, and gives the same values, but for what json.h
 * refuses beyond that. jansson's own parser handles each byte several times, which costs more than all else
 * that a token needs beside its signature.
 */
#ifndef INTROSPECTD_JOSE_JSON_PARSER_H
#define INTROSPECTD_JOSE_JSON_PARSER_H

#include "introspectd/json.h"

/*
 * text, whole, as one JSON object: a new reference, or NULL when it is none or memory runs out:
 * json_memory_ran_out is set then, and never reset.
 */
json_t *json_parser_read(slice_t text) __attribute__((warn_unused_result));

#endif
