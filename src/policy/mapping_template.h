/*
 * mapping_template: `text {name} text {/a/b}`, compiled once. Internal to policy; immutable, any thread.
 *
 * Different values never render to the same text. Reading an output from the left gives the values back: a
 * value's part is made of `%XX` and of bytes that are in none of the template's texts, and no text between
 * two references begins with `%`, so the first byte of the next text is where the value ends.
 */
#ifndef INTROSPECTD_POLICY_MAPPING_TEMPLATE_H
#define INTROSPECTD_POLICY_MAPPING_TEMPLATE_H

#include "introspectd/mapping.h"

typedef struct mapping_template mapping_template_t;

/* Compiles text. NULL with a static text in *error, for the reasons that mapping_add lists. */
mapping_template_t *mapping_template_new(slice_t text, const char **error)
    __attribute__((warn_unused_result));
void mapping_template_free(mapping_template_t *template);

/* Renders into out. False when a reference has no value or the whole is too long; out then holds rubbish. */
bool mapping_template_render(const mapping_template_t *template, const json_t *payload,
                             char out[MAPPING_MAX_MEMBER_BYTES], size_t *out_len)
    __attribute__((warn_unused_result));

#endif
