/* token: reading a token: split, decode, parse. */
#include "deployment.h"
#include "measure.h"

#include "introspectd/base64url.h"
#include "introspectd/compact.h"

#include <stdlib.h>

enum { TOKENS = 64, DECODED_MAX = 2048 };

typedef struct reading {
    deployment_t *deployment;
    compact_t compacts[TOKENS];
} reading_t;

static void split(void *data, size_t i)
{
    reading_t *reading = data;
    compact_t compact;
    if (compact_split(reading->deployment->tokens[i % TOKENS], &compact) != REASON_NONE)
        micro_fail("token: not split");
}

static void parse_header(void *data, size_t i)
{
    reading_t *reading = data;
    compact_header_t header;
    if (compact_parse_header(&reading->compacts[i % TOKENS], &header) != REASON_NONE)
        micro_fail("token: the header is not parsed");
    compact_header_deinit(&header);
}

static void parse_payload(void *data, size_t i)
{
    reading_t *reading = data;
    json_t *payload;
    if (compact_parse_payload(&reading->compacts[i % TOKENS], &payload) != REASON_NONE)
        micro_fail("token: the payload is not parsed");
    json_decref(payload);
}

static void decode(slice_t text)
{
    unsigned char decoded[DECODED_MAX];
    size_t len;
    if (base64url_decoded_max(text.len) > sizeof(decoded) || !base64url_decode(text, decoded, &len))
        micro_fail("token: not decoded");
}

static void decode_payload(void *data, size_t i)
{
    reading_t *reading = data;
    decode(reading->compacts[i % TOKENS].payload);
}

static void decode_signature(void *data, size_t i)
{
    reading_t *reading = data;
    decode(reading->compacts[i % TOKENS].signature);
}

void token_group(const micro_options_t *options)
{
    static reading_t reading;
    reading.deployment = deployment_new(ALGORITHM_RS256, TOKENS);
    for (size_t i = 0; i < TOKENS; i++) {
        if (compact_split(reading.deployment->tokens[i], &reading.compacts[i]) != REASON_NONE)
            micro_fail("token: not split");
    }
    measurement_t measurements[] = {
        {.name = "compact_split", .parameters = "RS256", .operation = split},
        {.name = "compact_parse_header", .parameters = "RS256", .operation = parse_header},
        {.name = "compact_parse_payload", .parameters = "RS256", .operation = parse_payload},
        {.name = "base64url_decode", .parameters = "payload", .operation = decode_payload},
        {.name = "base64url_decode", .parameters = "RSA signature", .operation = decode_signature},
    };
    const size_t count = sizeof(measurements) / sizeof(measurements[0]);
    for (size_t i = 0; i < count; i++)
        measurements[i].data = &reading;
    measure_and_report(options, "token", measurements, count);
    deployment_free(reading.deployment);
}
