/*
 * config_refusal: what the tests of the config's errors share: a good config, changes to it, and the errors
 * that they must give.
 */
#ifndef INTROSPECTD_TESTS_CONFIG_REFUSAL_H
#define INTROSPECTD_TESTS_CONFIG_REFUSAL_H

#include "config_fixture.h"

/* What every case changes; the numbers are its lines. */
static const char REFUSAL_BASE[] = "listen:\n"                                      /* 1 */
                                   "  - address: 127.0.0.1:8080\n"                  /* 2 */
                                   "issuers:\n"                                     /* 3 */
                                   "  - issuer: https://idp.example.com/\n"         /* 4 */
                                   "    jwks_file: jwks.json\n"                     /* 5 */
                                   "    algorithms: [RS256]\n"                      /* 6 */
                                   "    audience: [https://channels.example.com]\n" /* 7 */
                                   "clients:\n"                                     /* 8 */
                                   "  - client_id: front\n"                         /* 9 */
                                   "    client_secret_files: [front.secret]\n"      /* 10 */
                                   "    profile: front_private\n";                  /* 11 */

enum { REFUSAL_MAX_YAML = 1 << 14 };

static inline void refusal_assert(const fixture_t *fixture, const char *expected)
{
    config_error_t error = {""};
    config_t *config = config_load(fixture->config_file, NULL, NULL, &error);
    if (config != NULL) {
        config_free(config);
        fail_msg("taken, but should be refused: %s", expected);
    }
    assert_null(strchr(error.text, '\n'));
    assert_null(strstr(error.text, FIXTURE_SECRET));

    size_t prefix = strlen(fixture->config_file);
    assert_memory_equal(error.text, fixture->config_file, prefix);
    /* In what is expected, @ stands for the directory, and a * at the end for any text. */
    char text[CONFIG_ERROR_SIZE + 256];
    size_t len = 0;
    for (const char *c = expected; *c != '\0'; c++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%.*s",
                                *c == '@' ? (int)strlen(fixture->directory) : 1,
                                *c == '@' ? fixture->directory : c);
    if (len > 0 && text[len - 1] == '*') {
        size_t given = strlen(error.text + prefix);
        error.text[prefix + (given < len - 1 ? given : len - 1)] = '\0';
        text[len - 1] = '\0';
    }
    assert_string_equal(error.text + prefix, text);
}

typedef struct refusal {
    const char *old;      /* stands in REFUSAL_BASE; empty: its end */
    const char *new;      /* what takes its place */
    const char *expected; /* the error behind the file's name */
} refusal_t;

static inline void refusal_apply(const fixture_t *fixture, const refusal_t *change)
{
    static char yaml[REFUSAL_MAX_YAML];
    const char *at =
        change->old[0] == '\0' ? REFUSAL_BASE + strlen(REFUSAL_BASE) : strstr(REFUSAL_BASE, change->old);
    assert_non_null(at);
    snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(at - REFUSAL_BASE), REFUSAL_BASE, change->new,
             at + strlen(change->old));
    fixture_write(fixture, "introspectd.yaml", yaml);
    refusal_assert(fixture, change->expected);
}

#define REFUSAL_APPLY_ALL(changes)                                                                           \
    for (size_t i = 0; i < sizeof(changes) / sizeof((changes)[0]); i++)                                      \
    refusal_apply(*state, &(changes)[i])

#endif
