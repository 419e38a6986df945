/* decision: a token that is in the cache, and tokens that are new, beside their signature alone. */
#include "deployment.h"
#include "measure.h"

#include "../evp_verify.h"

#include <stdlib.h>

static const algorithm_t ALGORITHMS[] = {
    ALGORITHM_RS256, ALGORITHM_PS256, ALGORITHM_ES256, ALGORITHM_ES384, ALGORITHM_EDDSA, ALGORITHM_HS256,
};

/* Distinct tokens that take turns; introspect_decide verifies one each time, known or not. */
enum { TOKENS = 500, TOKENS_QUICK = 100 };

static void decide(void *data, size_t i)
{
    deployment_t *deployment = data;
    introspect_verdict_t verdict;
    i %= deployment->token_count;
    introspect_decide(deployment->worker, deployment->client, deployment->tokens[i], DEPLOYMENT_NOW_S,
                      &deployment->keys[i], &verdict);
    if (verdict.outcome != INTROSPECT_ACTIVE)
        micro_fail("decision: a good token is refused");
}

static void look_up(void *data, size_t i)
{
    deployment_t *deployment = data;
    introspect_verdict_t verdict;
    digest_t key;
    if (!introspect_lookup(deployment->worker, deployment->client,
                           deployment->tokens[i % deployment->token_count], DEPLOYMENT_NOW_S, &key,
                           &verdict) ||
        verdict.outcome != INTROSPECT_ACTIVE)
        micro_fail("decision: a decided token is not found");
}

typedef struct signatures {
    evp_verify_t *verify;
    evp_token_t *tokens;
    size_t count;
} signatures_t;

static signatures_t signatures_of(const deployment_t *deployment)
{
    signatures_t signatures = {.count = deployment->token_count};
    signatures.verify = evp_verify_new(deployment->key, deployment->algorithm);
    signatures.tokens = calloc(signatures.count, sizeof(*signatures.tokens));
    if (signatures.verify == NULL || signatures.tokens == NULL)
        micro_fail("decision: no memory");
    for (size_t i = 0; i < signatures.count; i++) {
        if (!evp_token_read(signatures.verify, deployment->tokens[i], &signatures.tokens[i]))
            micro_fail("decision: a token is malformed");
    }
    return signatures;
}

static void signatures_deinit(signatures_t *signatures)
{
    for (size_t i = 0; i < signatures->count; i++)
        free(signatures->tokens[i].signature);
    free(signatures->tokens);
    evp_verify_free(signatures->verify);
}

static void verify(void *data, size_t i)
{
    signatures_t *signatures = data;
    if (!evp_verify_token(signatures->verify, &signatures->tokens[i % signatures->count]))
        micro_fail("decision: OpenSSL refuses a token");
}

static void report(const micro_options_t *options, const measurement_t *measurement, double raw_ns)
{
    const micro_row_t row = {.group = "decision",
                             .name = measurement->name,
                             .parameters = measurement->parameters,
                             .ns = measurement->ns,
                             .allocations = measurement->allocations,
                             .ratio = raw_ns > 0 ? measurement->ns / raw_ns : 0,
                             .ratio_of = "time over the signature's"};
    micro_report(options, &row);
}

static void measure_algorithm(const micro_options_t *options, algorithm_t algorithm)
{
    deployment_t *deployment = deployment_new(algorithm, options->is_quick ? TOKENS_QUICK : TOKENS);
    signatures_t raw = signatures_of(deployment);
    const char *name = algorithm_name(algorithm);
    measurement_t decisions[] = {
        {.name = "EVP verify reused context", .parameters = name, .operation = verify, .data = &raw},
        {.name = "introspect_decide", .parameters = name, .operation = decide, .data = deployment},
    };
    measurement_t hit = {
        .name = "introspect_lookup hit", .parameters = name, .operation = look_up, .data = deployment};
    deployment_look_up(deployment);
    measure(options, decisions, 2);
    report(options, &decisions[0], 0);
    report(options, &decisions[1], decisions[0].ns);
    if (algorithm == ALGORITHM_RS256) {
        measure(options, &hit, 1);
        report(options, &hit, 0);
    }
    signatures_deinit(&raw);
    deployment_free(deployment);
}

void decision_group(const micro_options_t *options)
{
    for (size_t i = 0; i < sizeof(ALGORITHMS) / sizeof(ALGORITHMS[0]); i++)
        measure_algorithm(options, ALGORITHMS[i]);
}
