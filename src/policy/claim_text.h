/*
 * claim_text: a claim's value as text that may stand in an answer. Internal to policy; any thread.
 */
#ifndef INTROSPECTD_POLICY_CLAIM_TEXT_H
#define INTROSPECTD_POLICY_CLAIM_TEXT_H

#include "introspectd/slice.h"

#include <jansson.h>

/* Room for any integer. */
enum { CLAIM_TEXT_DIGITS_SIZE = 24 };

/*
 * The text of value: a string itself (borrowed), an integer in decimal, written to digits. False when value
 * counts as missing (mapping.h). value may be NULL.
 */
bool claim_text_get(const json_t *value, char digits[CLAIM_TEXT_DIGITS_SIZE], slice_t *out)
    __attribute__((warn_unused_result));

#endif
