/*
 * config_fixture: a directory of its own for each test of the config, with the files that configs name.
 */
#ifndef INTROSPECTD_TESTS_CONFIG_FIXTURE_H
#define INTROSPECTD_TESTS_CONFIG_FIXTURE_H

#include "introspectd/config.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The public keys of RFC 7517 appendix A.1 (RSA) and RFC 7515 appendix A.3 (EC). */
#define FIXTURE_RSA_KEY                                                                                      \
    "{\"kty\":\"RSA\",\"kid\":\"2011-04-29\",\"alg\":\"RS256\",\"e\":\"AQAB\",\"n\":\""                      \
    "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZ"  \
    "CiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_"                             \
    "FDW2QvzqY368QQMicAtaSqzs8KJZg"                                                                          \
    "nYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"       \
    "xBniIqb"                                                                                                \
    "w0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\"}"
#define FIXTURE_EC_KEY                                                                                       \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","               \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define FIXTURE_SECRET "correct-horse-battery"

typedef struct fixture {
    char directory[64];
    char config_file[128];
} fixture_t;

static inline void fixture_write_bytes(const fixture_t *fixture, const char *name, const char *bytes,
                                       size_t len)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static inline void fixture_write(const fixture_t *fixture, const char *name, const char *text)
{
    fixture_write_bytes(fixture, name, text, strlen(text));
}

static inline int fixture_set_up(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    snprintf(fixture->directory, sizeof(fixture->directory), "/tmp/introspectd-config-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    snprintf(fixture->config_file, sizeof(fixture->config_file), "%s/introspectd.yaml", fixture->directory);
    fixture_write(fixture, "jwks.json", "{\"keys\":[" FIXTURE_RSA_KEY "," FIXTURE_EC_KEY "]}");
    fixture_write(fixture, "front.secret", FIXTURE_SECRET "\n");
    *state = fixture;
    return 0;
}

static inline config_t *fixture_load(const fixture_t *fixture, const char *yaml)
{
    fixture_write(fixture, "introspectd.yaml", yaml);
    config_error_t error = {""};
    config_t *config = config_load(fixture->config_file, NULL, NULL, &error);
    if (config == NULL)
        fail_msg("%s", error.text);
    return config;
}

static inline int fixture_tear_down(void **state)
{
    fixture_t *fixture = *state;
    DIR *directory = opendir(fixture->directory);
    assert_non_null(directory);
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
    }
    closedir(directory);
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

#endif
