#include "source_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The linker dictates the names. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* NOLINTEND(bugprone-reserved-identifier) */

/* The provider's thread keeps its memory. */
static _Thread_local bool is_armed;
static _Thread_local unsigned left;

static bool fails_now(void)
{
    if (!is_armed || left-- > 0)
        return false;
    is_armed = false;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails_now() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return fails_now() ? NULL : __real_strdup(text);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int len = fails_now() ? -1 : vasprintf(out, format, arguments);
    va_end(arguments);
    return len;
}

/* One life of a source: made, fetched, fetched again, made once more from what the first has. */
static void live(const key_source_settings_t *settings)
{
    source_fixture.source = key_source_new(settings, source_fixture.fetcher, NULL, NULL, NULL);
    if (source_fixture.source == NULL)
        return;
    source_fixture.slot = key_source_slot(source_fixture.source);
    source_attempt();
    source_attempt_after_s(3600);
    key_source_free(key_source_new(settings, source_fixture.fetcher, NULL, NULL, source_fixture.source));
}

/* After a failure, of whichever allocation, the next attempts get the keys. */
static void assert_recovers(void)
{
    if (source_fixture.source != NULL) {
        for (int i = 0; i < 3 && !has_kid(source_fixture.slot, "a"); i++)
            source_attempt_after_s(60);
        source_attempt_after_s(3600);
        source_assert_problem(NULL);
        assert_true(has_kid(source_fixture.slot, "a"));
    }
    key_source_free(source_fixture.source);
    source_fixture.source = NULL;
}

static void each_allocation_may_fail(const key_source_settings_t *settings)
{
    bool has_failed = true;
    unsigned passing = 0;
    for (; has_failed; passing++) {
        left = passing;
        is_armed = true;
        live(settings);
        has_failed = !is_armed;
        is_armed = false;
        assert_recovers();
    }
    /* There was something to fail. */
    assert_true(passing > 10);
}

static void a_fetched_source_survives(void **state)
{
    (void)state;
    provider_answer_tagged(source_fixture.provider, "/jwks", "\"v1\"", "", SET_AB);
    key_source_settings_t settings = source_jwks_settings();
    each_allocation_may_fail(&settings);
}

static void a_discovered_source_survives(void **state)
{
    (void)state;
    provider_t *provider = source_fixture.provider;
    const char *issuer = provider_url(provider, "");
    char document[512];
    snprintf(document, sizeof(document), "{\"issuer\":\"%s\",\"jwks_uri\":\"%s\"}", issuer,
             provider_url(provider, "/jwks"));
    provider_answer(provider, "/.well-known/oauth-authorization-server", "200 OK", "", document);
    provider_answer(provider, "/jwks", "200 OK", "", SET_AB);
    key_source_settings_t settings = settings_for(issuer, NULL);
    each_allocation_may_fail(&settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fetched_source_survives, source_start, source_stop),
        cmocka_unit_test_setup_teardown(a_discovered_source_survives, source_start, source_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
