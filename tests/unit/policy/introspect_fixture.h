/* introspect_fixture: a config with two issuers and two clients, its introspector, and tokens for it. */
#ifndef INTROSPECTD_TESTS_INTROSPECT_FIXTURE_H
#define INTROSPECTD_TESTS_INTROSPECT_FIXTURE_H

#include "introspectd/introspect.h"

#include "introspectd/base64url.h"
#include "introspectd/private_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const int64_t NOW_S = 1700000000;

static const char CONFIG[] =
    "listen: [{address: \"127.0.0.1:0\"}]\n"
    "cache: {max_bytes: 1MiB, stripes: 4, max_ttl: 60s}\n"
    "limits: {max_body: 128KiB, max_token: 64KiB}\n"
    "issuers:\n"
    "  - issuer: https://idp.example/\n"
    "    jwks_file: jwks.json\n"
    "    algorithms: [ES256]\n"
    "    audience: [https://api.example]\n"
    "    token_types: [at+jwt]\n"
    "    require: {token_use: access}\n"
    "    leeway: 10s\n"
    "  - {issuer: https://other.example/, jwks_file: jwks.json, algorithms: [ES256], audience: any}\n"
    "clients:\n"
    "  - {client_id: front, client_secret_files: [secret], profile: front_private,\n"
    "     issuers: [https://idp.example/]}\n"
    "  - {client_id: rs, client_secret_files: [secret], profile: rfc7662}\n";

typedef struct fixture {
    char directory[64];
    private_key_t *key;
    private_key_t *other_key; /* in no key set at first; the same kid */
    const config_t *config;
    introspector_t *introspector;
    introspect_worker_t *worker;
    const client_t *front;
    const client_t *rs;
} fixture_t;

static inline void write_file(const fixture_t *fixture, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static inline char *jwks_of(const private_key_t *key)
{
    json_t *jwks = json_pack("{s:[o]}", "keys", private_key_to_jwk(key, false));
    char *text = json_dumps(jwks, 0);
    assert_non_null(text);
    json_decref(jwks);
    return text;
}

static inline int setup(void **state)
{
    fixture_t *fixture = calloc(1, sizeof(*fixture));
    assert_non_null(fixture);
    strcpy(fixture->directory, "/tmp/introspect-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->key = private_key_generate(ALGORITHM_ES256, "k1");
    fixture->other_key = private_key_generate(ALGORITHM_ES256, "k1");
    assert_non_null(fixture->key);
    assert_non_null(fixture->other_key);
    char *jwks = jwks_of(fixture->key);
    write_file(fixture, "jwks.json", jwks);
    free(jwks);
    write_file(fixture, "secret", "a secret of some length\n");
    write_file(fixture, "config.yaml", CONFIG);

    char path[128];
    config_error_t error;
    snprintf(path, sizeof(path), "%s/config.yaml", fixture->directory);
    config_t *config = config_load(path, NULL, NULL, &error);
    if (config == NULL)
        fail_msg("%s", error.text);
    fixture->config = config;
    fixture->introspector = introspector_new(config);
    fixture->worker = introspect_worker_new(fixture->introspector);
    fixture->front = client_set_find(&fixture->config->clients, slice_of("front"));
    fixture->rs = client_set_find(&fixture->config->clients, slice_of("rs"));
    assert_non_null(fixture->worker);
    assert_non_null(fixture->front);
    assert_non_null(fixture->rs);
    *state = fixture;
    return 0;
}

static inline int teardown(void **state)
{
    static const char *const FILES[] = {"jwks.json", "secret", "config.yaml"};
    fixture_t *fixture = *state;
    introspect_worker_free(fixture->worker);
    introspector_release(fixture->introspector);
    private_key_free(fixture->key);
    private_key_free(fixture->other_key);
    for (size_t i = 0; i < sizeof(FILES) / sizeof(FILES[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", fixture->directory, FILES[i]);
        unlink(path);
    }
    rmdir(fixture->directory);
    free(fixture);
    return 0;
}

static inline char *encode(const char *text)
{
    char *encoded = malloc(base64url_encoded_len(strlen(text)) + 1);
    assert_non_null(encoded);
    base64url_encode((const unsigned char *)text, strlen(text), encoded);
    return encoded;
}

/* A token of that header and payload, signed with key. The caller frees it. */
static inline char *sign(const private_key_t *key, const char *header, const char *payload)
{
    char *header_part = encode(header);
    char *payload_part = encode(payload);
    size_t input_size = strlen(header_part) + strlen(payload_part) + 2;
    char *token = malloc(input_size + 200);
    assert_non_null(token);
    snprintf(token, input_size, "%s.%s", header_part, payload_part);
    unsigned char *signature;
    size_t signature_len;
    assert_true(private_key_sign(key, ALGORITHM_ES256, slice_of(token), &signature, &signature_len));
    strcat(token, ".");
    base64url_encode(signature, signature_len, token + strlen(token));
    free(signature);
    free(header_part);
    free(payload_part);
    return token;
}

static const char HEADER[] = "{\"alg\":\"ES256\",\"kid\":\"k1\",\"typ\":\"at+jwt\"}";

/* A payload that is good until exp_s, with more members behind it. The caller frees it. */
static inline char *payload_until(int64_t exp_s, const char *more)
{
    char *payload = malloc(strlen(more) + 512);
    assert_non_null(payload);
    sprintf(payload,
            "{\"iss\":\"https://idp.example/\",\"aud\":\"https://"
            "api.example\",\"token_use\":\"access\",\"exp\":%lld,"
            "\"front_channel_name\":\"Name\",\"front_channel_address\":\"a1\"%s}",
            (long long)exp_s, more);
    return payload;
}

static inline char *good_token(const fixture_t *fixture, int64_t exp_s, const char *more)
{
    char *payload = payload_until(exp_s, more);
    char *token = sign(fixture->key, HEADER, payload);
    free(payload);
    return token;
}

/* As the endpoint does it: the cache, then the decision. */
static inline introspect_verdict_t introspect(introspect_worker_t *worker, const client_t *client,
                                              const char *token, int64_t now_s)
{
    digest_t key;
    introspect_verdict_t verdict;
    if (!introspect_lookup(worker, client, slice_of(token), now_s, &key, &verdict))
        introspect_decide(worker, client, slice_of(token), now_s, &key, &verdict);
    return verdict;
}

static inline void assert_answer(introspect_verdict_t verdict, const char *expected)
{
    assert_int_equal(verdict.answer.len, strlen(expected));
    assert_memory_equal(verdict.answer.base, expected, verdict.answer.len);
}

#endif
