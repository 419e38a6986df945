/*
 * numeric_date: a NumericDate (RFC 7519 section 2) as whole seconds. Internal to policy; any thread.
 *
 * `now` is a whole second k, and for a date x: k >= x exactly when k >= ceil(x), k < x exactly when k <
 * ceil(x). So the rounded-up second decides without floating-point arithmetic; the rounded-down one is what
 * is told.
 */
#ifndef INTROSPECTD_POLICY_NUMERIC_DATE_H
#define INTROSPECTD_POLICY_NUMERIC_DATE_H

#include <jansson.h>

#include <stdbool.h>
#include <stdint.h>

typedef struct numeric_date {
    int64_t floor_s;
    int64_t ceil_s;
} numeric_date_t;

/* False, with *out untouched, when value is no number or outside 0 to CLAIMS_MAX_DATE. value may be NULL. */
bool numeric_date_read(const json_t *value, numeric_date_t *out) __attribute__((warn_unused_result));

#endif
