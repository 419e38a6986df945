/* answer: from a verified payload to the bytes of the answer. */
#include "deployment.h"
#include "measure.h"

#include "introspectd/compact.h"
#include "introspectd/json.h"

#include <stdlib.h>

typedef struct answering {
    deployment_t *deployment;
    json_t *payload;
    json_t *answer;
} answering_t;

static void check_claims(void *data, size_t i)
{
    answering_t *answering = data;
    claims_times_t times;
    (void)i;
    if (claims_check(&answering->deployment->config->issuers[0].rules, slice_of("at+jwt"), answering->payload,
                     DEPLOYMENT_NOW_S, &times) != REASON_NONE)
        micro_fail("answer: a claim is refused");
}

static json_t *new_answer(const answering_t *answering)
{
    json_t *answer = json_object();
    if (answer == NULL || json_object_set_new(answer, "active", json_true()) != 0 ||
        mapping_apply(answering->deployment->client->mapping, answering->payload, answer, NULL) !=
            REASON_NONE)
        micro_fail("answer: the claims are not mapped");
    return answer;
}

static void map(void *data, size_t i)
{
    (void)i;
    json_decref(new_answer(data));
}

static void dump(void *data, size_t i)
{
    answering_t *answering = data;
    char bytes[INTROSPECT_MAX_ANSWER];
    (void)i;
    if (json_dumpb(answering->answer, bytes, sizeof(bytes), JSON_COMPACT) == 0)
        micro_fail("answer: not written");
}

static void write_answer(void *data, size_t i)
{
    answering_t *answering = data;
    char bytes[INTROSPECT_MAX_ANSWER];
    (void)i;
    if (json_write(answering->answer, bytes, sizeof(bytes)) > sizeof(bytes))
        micro_fail("answer: not written");
}

void answer_group(const micro_options_t *options)
{
    answering_t answering = {.deployment = deployment_new(ALGORITHM_RS256, 1)};
    compact_t compact;
    if (compact_split(answering.deployment->tokens[0], &compact) != REASON_NONE ||
        compact_parse_payload(&compact, &answering.payload) != REASON_NONE)
        micro_fail("answer: the token is malformed");
    answering.answer = new_answer(&answering);
    measurement_t measurements[] = {
        {.name = "claims_check", .parameters = "one audience", .operation = check_claims},
        {.name = "mapping_apply", .parameters = "front_private", .operation = map},
        {.name = "json_write", .parameters = "front_private", .operation = write_answer},
        {.name = "jansson's json_dumpb", .parameters = "front_private", .operation = dump},
    };
    const size_t count = sizeof(measurements) / sizeof(measurements[0]);
    for (size_t i = 0; i < count; i++)
        measurements[i].data = &answering;
    measure_and_report(options, "answer", measurements, count);
    json_decref(answering.answer);
    json_decref(answering.payload);
    deployment_free(answering.deployment);
}
