/*
 * deployment: one issuer with one key and one client, decided by introspectd, and distinct tokens for it,
 * made at the start. Belongs to one thread; the caller frees it.
 */
#ifndef INTROSPECTD_BENCH_DEPLOYMENT_H
#define INTROSPECTD_BENCH_DEPLOYMENT_H

#include "introspectd/introspect.h"
#include "introspectd/private_key.h"

#include "micro.h"

typedef struct deployment {
    algorithm_t algorithm;
    private_key_t *key;
    const config_t *config;
    introspector_t *introspector;
    introspect_worker_t *worker;
    const client_t *client;
    char *secret; /* the client's */
    slice_t *tokens;
    digest_t *keys; /* of the cache, from introspect_lookup; filled by deployment_look_up */
    size_t token_count;
} deployment_t;

/* The time that the tokens are good at. */
enum { DEPLOYMENT_NOW_S = 1700000000 };

static const char DEPLOYMENT_CLIENT_ID[] = "front";

deployment_t *deployment_new(algorithm_t algorithm, size_t token_count);
void deployment_free(deployment_t *deployment);

/* Looks every token up once, which none is found by, so that introspect_decide has the keys that it wants. */
void deployment_look_up(deployment_t *deployment);

#endif
