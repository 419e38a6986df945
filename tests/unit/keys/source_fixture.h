/*
 * source_fixture: one key_source with a provider, the test's own clock, no jitter, and its log lines.
 *
 * Linked with --wrap for the functions that it stands in for. The test's thread only; every function fails
 * the running test when it cannot do its work.
 */
#ifndef KEYS_SOURCE_FIXTURE_H
#define KEYS_SOURCE_FIXTURE_H

#include "key_source.h"

#include "introspectd/log.h"

#include "key_fixture.h"
#include "provider.h"

typedef struct source_fixture {
    int64_t now_ms;
    int started;  /* attempts */
    int outcomes; /* of attempts */
    provider_t *provider;
    fetcher_t *fetcher;
    key_source_t *source; /* freed by source_stop */
    keyset_slot_t *slot;  /* of the source */
} source_fixture_t;

extern source_fixture_t source_fixture;

/* For cmocka. */
int source_start(void **state);
int source_stop(void **state);

/* Of https://idp.example.com, from the provider's /jwks. */
key_source_settings_t source_jwks_settings(void);
void source_make(const key_source_settings_t *settings);

/* Does what is due and waits for its end; the number of attempts that this were. */
int source_attempt(void);
int source_attempt_after_s(int64_t seconds);
int64_t source_due_in_ms(void);

/* The slot's problem holds this text; NULL: there is none. */
void source_assert_problem(const char *text);

/* The number of lines of an event. */
size_t source_lines_of(const char *event);
/* The fields of the last one, which has this level. */
const json_t *source_last_line(const char *event, log_level_t level);
const char *source_text_of(const json_t *fields, const char *name);
int64_t source_number_of(const json_t *fields, const char *name);

#endif
