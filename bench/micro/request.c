/* request: what every request costs before the look-up: body, credentials, digest of the token. */
#include "deployment.h"
#include "measure.h"

#include "introspectd/lookup_digest.h"
#include "introspectd/request_body.h"

#include <stdio.h>
#include <stdlib.h>

enum { BODY_SIZE = 4096, BASIC_SIZE = 512, BASE64_PADDED = 4 };

typedef struct request {
    deployment_t *deployment;
    slice_t token;
    char form[BODY_SIZE];
    size_t form_len;
    char json[BODY_SIZE];
    size_t json_len;
    char basic[BASIC_SIZE];
    digester_t *digester;
    digest_seed_t seed;
    lookup_digester_t *lookup_digester;
} request_t;

static void parse_body(request_body_type_t type, const char *bytes, size_t len)
{
    /* A form is decoded in place: each time a copy, as it comes from the network. */
    char copy[BODY_SIZE];
    request_body_t body;
    memcpy(copy, bytes, len);
    if (request_body_parse(type, copy, len, &body) != NULL || body.token.base == NULL)
        micro_fail("request: the body is not parsed");
    request_body_deinit(&body);
}

static void parse_form(void *data, size_t i)
{
    request_t *request = data;
    (void)i;
    parse_body(REQUEST_BODY_FORM, request->form, request->form_len);
}

static void parse_json(void *data, size_t i)
{
    request_t *request = data;
    (void)i;
    parse_body(REQUEST_BODY_JSON, request->json, request->json_len);
}

static void authenticate(void *data, size_t i)
{
    request_t *request = data;
    char buffer[CLIENT_BASIC_BUFFER_SIZE];
    client_credentials_t credentials;
    (void)i;
    if (client_parse_basic(slice_of(request->basic), buffer, &credentials) != CLIENT_BASIC_OK ||
        introspect_authenticate(request->deployment->worker, &credentials) != request->deployment->client)
        micro_fail("request: the client is not known");
}

static void authenticate_known(void *data, size_t i)
{
    request_t *request = data;
    (void)i;
    if (introspect_authenticate_basic(request->deployment->worker, slice_of(request->basic)) !=
        request->deployment->client)
        micro_fail("request: the client is not known");
}

static void digest_token(void *data, size_t i)
{
    request_t *request = data;
    digest_t digest;
    if (!digest_keyed(request->digester, &request->seed, i, request->token, &digest))
        micro_fail("request: no digest");
}

static void digest_token_for_lookup(void *data, size_t i)
{
    request_t *request = data;
    digest_t digest;
    if (!lookup_digest(request->lookup_digester, i, request->token, &digest))
        micro_fail("request: no digest");
}

/* RFC 4648 section 4, with padding. */
static void encode_base64(const char *text, size_t len, char *out)
{
    static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        unsigned word = 0;
        for (size_t j = 0; j < 3; j++)
            word = word << 8 | (i + j < len ? (unsigned char)text[i + j] : 0u);
        for (size_t j = 0; j < BASE64_PADDED; j++)
            *out++ = i + j <= len ? ALPHABET[word >> (18 - 6 * j) & 63u] : '=';
    }
    *out = '\0';
}

static void write_request(request_t *request)
{
    char pair[BASIC_SIZE / 2];
    request->form_len =
        (size_t)snprintf(request->form, sizeof(request->form), "token=%.*s&token_type_hint=access_token",
                         (int)request->token.len, request->token.base);
    request->json_len = (size_t)snprintf(request->json, sizeof(request->json), "{\"token\":\"%.*s\"}",
                                         (int)request->token.len, request->token.base);
    int len = snprintf(pair, sizeof(pair), "%s:%s", DEPLOYMENT_CLIENT_ID, request->deployment->secret);
    strcpy(request->basic, "Basic ");
    encode_base64(pair, (size_t)len, request->basic + strlen(request->basic));
}

void request_group(const micro_options_t *options)
{
    static request_t request;
    char parameters[64];
    request.deployment = deployment_new(ALGORITHM_RS256, 1);
    request.token = request.deployment->tokens[0];
    request.digester = digester_new();
    if (request.digester == NULL || !digest_seed_random(&request.seed))
        micro_fail("no digester");
    request.lookup_digester = lookup_digester_new(&request.seed);
    if (request.lookup_digester == NULL)
        micro_fail("no digester");
    write_request(&request);
    snprintf(parameters, sizeof(parameters), "token of %zu bytes", request.token.len);
    measurement_t measurements[] = {
        {.name = "request_body_parse form", .parameters = parameters, .operation = parse_form},
        {.name = "request_body_parse JSON", .parameters = parameters, .operation = parse_json},
        {.name = "parse Basic; authenticate", .parameters = "first time", .operation = authenticate},
        {.name = "authenticate_basic", .parameters = "known header", .operation = authenticate_known},
        {.name = "digest_keyed", .parameters = parameters, .operation = digest_token},
        {.name = "lookup_digest", .parameters = parameters, .operation = digest_token_for_lookup},
    };
    const size_t count = sizeof(measurements) / sizeof(measurements[0]);
    for (size_t i = 0; i < count; i++)
        measurements[i].data = &request;
    measure_and_report(options, "request", measurements, count);
    lookup_digester_free(request.lookup_digester);
    digester_free(request.digester);
    deployment_free(request.deployment);
}
