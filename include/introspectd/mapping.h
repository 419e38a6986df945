/*
 * mapping: from a token's claims to the members of a client's answer.
 *
 * A member has one or more sources, tried in order. A source is a template when it holds `{`, else a claim
 * path (claim_path.h): `name`, `/a/b/0`, or `text {name} text {/a/b}`. What a template puts in is
 * percent-encoded where it holds a character that the template itself uses as text, or `%`, so that two
 * different tokens never make one address. (A character outside ASCII is encoded where any of its bytes
 * occurs in the text; integers are encoded like strings; hex digits are upper case.) A value counts as
 * missing when it is an object, an array, a real, null, a boolean, the empty string, over
 * MAPPING_MAX_MEMBER_BYTES, or holds a control character (U+0000 to U+001F, U+007F to U+009F); integers
 * become text. Built by one thread, then immutable: any thread may apply it.
 */
#ifndef INTROSPECTD_MAPPING_H
#define INTROSPECTD_MAPPING_H

#include "introspectd/reason.h"
#include "introspectd/slice.h"

#include <jansson.h>

enum { MAPPING_MAX_MEMBER_BYTES = 1024, MAPPING_MAX_SOURCES = 16 };

typedef struct mapping mapping_t;

mapping_t *mapping_new(void) __attribute__((warn_unused_result));
void mapping_free(mapping_t *mapping);

/*
 * Adds a member with its sources (1 to MAPPING_MAX_SOURCES). is_required says whether an answer without it is
 * refused. False with a static text in *error: a brace that is not closed or not opened, an empty reference,
 * two references with no text between them (their values could run together) or with a text that begins with
 * `%` (it could be taken for an encoded character), a control character in the text, a bad claim path, a
 * member that is already there or whose name is empty or not UTF-8, no memory. mapping is then unchanged.
 */
bool mapping_add(mapping_t *mapping, const char *member, bool is_required, const slice_t *sources,
                 size_t source_count, const char **error) __attribute__((warn_unused_result));

/* Whether mapping has a member of that name. */
bool mapping_has(const mapping_t *mapping, const char *member);

/*
 * Sets every member that has a value in answer, a JSON object, in the order of mapping_add.
 * REASON_MAPPING_MISSING when a required one has none: *missing is then its name, borrowed from mapping, and
 * answer is of no use. REASON_INTERNAL_ERROR out of memory. missing may be NULL.
 */
reason_t mapping_apply(const mapping_t *mapping, const json_t *payload, json_t *answer, const char **missing)
    __attribute__((warn_unused_result));

#endif
