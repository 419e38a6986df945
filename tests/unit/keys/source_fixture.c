#include "source_fixture.h"

#include "schedule.h"

#include "introspectd/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/random.h>

/* The linker dictates the names. NOLINTBEGIN(bugprone-reserved-identifier) */
int64_t __wrap_clock_monotonic_ms(void);
ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags);
void __wrap_log_event(log_level_t level, const char *event, json_t *take_fields);
void __wrap_schedule_start(schedule_t *schedule, int64_t now_ms);
void __real_schedule_start(schedule_t *schedule, int64_t now_ms);
void __wrap_keyset_slot_set_outcome(keyset_slot_t *slot, const char *problem);
void __real_keyset_slot_set_outcome(keyset_slot_t *slot, const char *problem);
/* NOLINTEND(bugprone-reserved-identifier) */

source_fixture_t source_fixture;

static json_t *lines; /* [level, event, fields] each */

int64_t __wrap_clock_monotonic_ms(void)
{
    return source_fixture.now_ms;
}

ssize_t __wrap_getrandom(void *out, size_t len, unsigned flags)
{
    (void)flags;
    memset(out, 0, len);
    return (ssize_t)len;
}

void __wrap_log_event(log_level_t level, const char *event, json_t *take_fields)
{
    assert_non_null(take_fields);
    assert_int_equal(json_array_append_new(lines, json_pack("[i, s, o]", level, event, take_fields)), 0);
}

void __wrap_schedule_start(schedule_t *schedule, int64_t now_ms)
{
    source_fixture.started++;
    __real_schedule_start(schedule, now_ms);
}

void __wrap_keyset_slot_set_outcome(keyset_slot_t *slot, const char *problem)
{
    source_fixture.outcomes++;
    __real_keyset_slot_set_outcome(slot, problem);
}

int source_start(void **state)
{
    (void)state;
    setenv("no_proxy", "*", 1);
    source_fixture = (source_fixture_t){.now_ms = 5000000};
    lines = json_array();
    source_fixture.provider = provider_start();
    source_fixture.fetcher = fetcher_new();
    return source_fixture.fetcher == NULL || lines == NULL;
}

int source_stop(void **state)
{
    (void)state;
    key_source_free(source_fixture.source);
    fetcher_free(source_fixture.fetcher);
    provider_stop(source_fixture.provider);
    json_decref(lines);
    return 0;
}

key_source_settings_t source_jwks_settings(void)
{
    return settings_for("https://idp.example.com", provider_url(source_fixture.provider, "/jwks"));
}

static void no_wake(void *data)
{
    (void)data;
}

void source_make(const key_source_settings_t *settings)
{
    source_fixture.source = key_source_new(settings, source_fixture.fetcher, no_wake, NULL, NULL);
    assert_non_null(source_fixture.source);
    source_fixture.slot = key_source_slot(source_fixture.source);
}

int source_attempt(void)
{
    int before = source_fixture.outcomes;
    key_source_step(source_fixture.source, source_fixture.now_ms);
    while (source_fixture.outcomes < source_fixture.started)
        fetcher_poll(source_fixture.fetcher, 1000);
    return source_fixture.outcomes - before;
}

int source_attempt_after_s(int64_t seconds)
{
    source_fixture.now_ms += seconds * 1000;
    return source_attempt();
}

int64_t source_due_in_ms(void)
{
    return key_source_due_ms(source_fixture.source) - source_fixture.now_ms;
}

void source_assert_problem(const char *text)
{
    keyset_slot_status_t status;
    keyset_slot_get_status(source_fixture.slot, &status);
    if (text == NULL ? status.problem[0] != '\0' : strstr(status.problem, text) == NULL)
        fail_msg("\"%s\" is not \"%s\"", status.problem, text == NULL ? "" : text);
}

static const char *event_at(size_t i)
{
    return json_string_value(json_array_get(json_array_get(lines, i), 1));
}

size_t source_lines_of(const char *event)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(lines); i++)
        count += strcmp(event_at(i), event) == 0;
    return count;
}

const json_t *source_last_line(const char *event, log_level_t level)
{
    for (size_t i = json_array_size(lines); i-- > 0;) {
        const json_t *line = json_array_get(lines, i);
        if (strcmp(event_at(i), event) == 0) {
            assert_int_equal(json_integer_value(json_array_get(line, 0)), level);
            return json_array_get(line, 2);
        }
    }
    fail_msg("no line %s", event);
    return NULL;
}

const char *source_text_of(const json_t *fields, const char *name)
{
    assert_true(json_is_string(json_object_get(fields, name)));
    return json_string_value(json_object_get(fields, name));
}

int64_t source_number_of(const json_t *fields, const char *name)
{
    assert_true(json_is_integer(json_object_get(fields, name)));
    return json_integer_value(json_object_get(fields, name));
}
