#include "deployment.h"

#include "introspectd/base64url.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char CONFIG[] = "listen: [{address: \"127.0.0.1:0\"}]\n"
                             "cache: {max_bytes: 64MiB, max_ttl: 1d}\n"
                             "issuers:\n"
                             "  - issuer: https://idp.example.com/\n"
                             "    jwks_file: jwks.json\n"
                             "    algorithms: [%s]\n"
                             "    audience: [https://channels.example.com]\n"
                             "clients:\n"
                             "  - client_id: %s\n"
                             "    client_secret_files: [secret]\n"
                             "    profile: front_private\n"
                             "    fields:\n"
                             "      front_channel_name: /channel/name\n"
                             "      front_channel_address: \"{tid}:{sub}\"\n";

static const char CLAIMS[] =
    "{\"iss\":\"https://idp.example.com/\",\"sub\":\"channel-%08zu\",\"aud\":\"https://channels.example.com\","
    "\"iat\":1699999000,\"exp\":1800000000,\"jti\":\"5f7c8ec7c33c6c004bbafe82%08zu\",\"tid\":\"tenant-0001\","
    "\"channel\":{\"name\":\"Acme Support (EU)\"},\"scope\":\"openid\"}";

enum { TEXT_SIZE = 4096, TOKEN_SIZE = 2048, SECRET_LEN = 43 };

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
        micro_fail("a file cannot be written");
}

static void remove_file(const char *directory, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    unlink(path);
}

static char *new_secret(void)
{
    digest_seed_t random;
    char *secret = malloc(base64url_encoded_len(sizeof(random.bytes)) + 1);
    if (secret == NULL || !digest_seed_random(&random))
        micro_fail("no random numbers");
    base64url_encode(random.bytes, sizeof(random.bytes), secret);
    return secret;
}

static char *jwks_of(const private_key_t *key)
{
    json_t *jwks = json_pack("{s:[o]}", "keys", private_key_to_jwk(key, false));
    char *text = json_dumps(jwks, JSON_COMPACT);
    json_decref(jwks);
    if (text == NULL)
        micro_fail("no memory");
    return text;
}

static config_t *load_config(const deployment_t *deployment)
{
    char directory[] = "/tmp/introspectd-micro-XXXXXX";
    char text[TEXT_SIZE], path[128];
    char *jwks = jwks_of(deployment->key);
    config_error_t error;
    if (mkdtemp(directory) == NULL)
        micro_fail("no temporary folder");
    snprintf(text, sizeof(text), CONFIG, algorithm_name(deployment->algorithm), DEPLOYMENT_CLIENT_ID);
    snprintf(path, sizeof(path), "%s/config.yaml", directory);
    write_file(directory, "config.yaml", text);
    write_file(directory, "jwks.json", jwks);
    write_file(directory, "secret", deployment->secret);
    config_t *config = config_load(path, NULL, NULL, &error);
    remove_file(directory, "config.yaml");
    remove_file(directory, "jwks.json");
    remove_file(directory, "secret");
    rmdir(directory);
    free(jwks);
    if (config == NULL)
        micro_fail(error.text);
    return config;
}

static size_t append_part(char *token, size_t len, const void *bytes, size_t count)
{
    if (len + base64url_encoded_len(count) + 2 > TOKEN_SIZE)
        micro_fail("a token is too long");
    base64url_encode(bytes, count, token + len);
    return len + base64url_encoded_len(count);
}

static slice_t mint(const deployment_t *deployment, size_t number)
{
    char header[128], claims[1024];
    int header_len =
        snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"2026-11\",\"typ\":\"at+jwt\"}",
                 algorithm_name(deployment->algorithm));
    int claims_len = snprintf(claims, sizeof(claims), CLAIMS, number, number);
    char *token = malloc(TOKEN_SIZE);
    unsigned char *signature;
    size_t signature_len;
    if (token == NULL)
        micro_fail("no memory");
    size_t len = append_part(token, 0, header, (size_t)header_len);
    token[len++] = '.';
    len = append_part(token, len, claims, (size_t)claims_len);
    if (!private_key_sign(deployment->key, deployment->algorithm, (slice_t){token, len}, &signature,
                          &signature_len))
        micro_fail("a token cannot be signed");
    token[len++] = '.';
    len = append_part(token, len, signature, signature_len);
    free(signature);
    return (slice_t){token, len};
}

deployment_t *deployment_new(algorithm_t algorithm, size_t token_count)
{
    deployment_t *deployment = calloc(1, sizeof(*deployment));
    if (deployment == NULL)
        micro_fail("no memory");
    deployment->algorithm = algorithm;
    deployment->key = private_key_generate(algorithm, "2026-11");
    deployment->secret = new_secret();
    deployment->tokens = calloc(token_count, sizeof(*deployment->tokens));
    deployment->keys = calloc(token_count, sizeof(*deployment->keys));
    deployment->token_count = token_count;
    if (deployment->key == NULL || deployment->tokens == NULL || deployment->keys == NULL)
        micro_fail("no memory");
    for (size_t i = 0; i < token_count; i++)
        deployment->tokens[i] = mint(deployment, i);
    deployment->introspector = introspector_new(load_config(deployment));
    if (deployment->introspector == NULL)
        micro_fail("no memory");
    deployment->worker = introspect_worker_new(deployment->introspector);
    if (deployment->worker == NULL)
        micro_fail("no memory");
    deployment->config = introspector_config(deployment->introspector);
    deployment->client = client_set_find(&deployment->config->clients, slice_of(DEPLOYMENT_CLIENT_ID));
    return deployment;
}

void deployment_free(deployment_t *deployment)
{
    introspect_worker_free(deployment->worker);
    introspector_release(deployment->introspector);
    private_key_free(deployment->key);
    for (size_t i = 0; i < deployment->token_count; i++)
        free((char *)deployment->tokens[i].base);
    free(deployment->tokens);
    free(deployment->keys);
    free(deployment->secret);
    free(deployment);
}

void deployment_look_up(deployment_t *deployment)
{
    for (size_t i = 0; i < deployment->token_count; i++) {
        introspect_verdict_t verdict;
        if (introspect_lookup(deployment->worker, deployment->client, deployment->tokens[i], DEPLOYMENT_NOW_S,
                              &deployment->keys[i], &verdict))
            micro_fail("a token is known before it was decided");
    }
}
