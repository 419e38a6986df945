/*
 * claims_fixture: payloads as JSON text and what claims_check makes of them. Every function fails the running
 * test when it cannot do its work.
 */
#ifndef POLICY_CLAIMS_FIXTURE_H
#define POLICY_CLAIMS_FIXTURE_H

#include "introspectd/claims.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline claim_path_t *path_of(const char *text)
{
    const char *error = NULL;
    claim_path_t *path = claim_path_new(slice_of(text), &error);

    assert_non_null(path);
    return path;
}

static inline reason_t check_text(const claims_rules_t *rules, slice_t typ, const char *text, int64_t now_s,
                                  claims_times_t *times)
{
    json_t *payload = json_loads(text, 0, NULL);

    if (payload == NULL)
        fail_msg("not JSON: %s", text);
    reason_t reason = claims_check(rules, typ, payload, now_s, times);
    json_decref(payload);
    return reason;
}

static inline void expect(const claims_rules_t *rules, slice_t typ, const char *text, int64_t now_s,
                          reason_t expected)
{
    claims_times_t times;
    reason_t reason = check_text(rules, typ, text, now_s, &times);

    if (reason != expected)
        fail_msg("%s at %lld: reason %d, not %d", text, (long long)now_s, (int)reason, (int)expected);
}

#endif
