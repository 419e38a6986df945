/* What is left in memory of secrets and keys that were read, used, refused or dropped. */
#include "config_fixture.h"

#include "introspectd/compact.h"
#include "introspectd/json.h"
#include "introspectd/verify.h"

#include "../memory_scan.h"

#include <openssl/crypto.h>

static const char YAML[] =
    "listen: [{address: \"127.0.0.1:0\"}]\n"
    "issuers:\n"
    "  - {issuer: a, jwks_file: jwks.json, algorithms: [HS256, ES256], audience: any}\n"
    "clients:\n"
    "  - {client_id: front, client_secret_files: [front.secret, traced.secret],\n"
    "     profile: rfc7662}\n";

/* A file of `before`, the secret and `behind`. */
static void write_traced(const fixture_t *fixture, const char *name, const char *before,
                         const masked_secret_t *secret, const char *behind)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, before, strlen(before)), strlen(before));
    masked_secret_write_text(secret, fd);
    assert_int_equal(write(fd, behind, strlen(behind)), strlen(behind));
    close(fd);
}

static config_t *try_load(const fixture_t *fixture)
{
    config_error_t error = {""};
    fixture_write(fixture, "introspectd.yaml", YAML);
    return config_load(fixture->config_file, NULL, NULL, &error);
}

static void test_the_scan_finds_what_is_there(void **state)
{
    (void)state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    assert_int_equal(memory_scan_text(&secret), 0);
    char *copy = malloc(secret.text_len);
    assert_non_null(copy);
    masked_secret_unmask_text(&secret, copy);
    assert_true(memory_scan_text(&secret) > 0);
    /* The allocator writes over the beginning alone. */
    free(copy);
    assert_true(memory_scan_text(&secret) > 0);
}

static void test_client_secrets(void **state)
{
    const fixture_t *fixture = *state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    write_traced(fixture, "traced.secret", "", &secret, "\r\n");
    config_t *config = try_load(fixture);
    assert_non_null(config);
    assert_int_equal(memory_scan_text(&secret), 0);
    config_free(config);

    /* Refused, when the other one had been read. */
    write_traced(fixture, "traced.secret", "", &secret, "\n");
    fixture_write(fixture, "front.secret", "");
    assert_null(try_load(fixture));
    assert_int_equal(memory_scan_text(&secret), 0);
}

static void test_credentials_of_a_request(void **state)
{
    const fixture_t *fixture = *state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    write_traced(fixture, "traced.secret", "", &secret, "");
    config_t *config = try_load(fixture);
    digester_t *digester = digester_new();
    assert_true(config != NULL && digester != NULL);
    char text[2 * MASKED_SECRET_LEN];
    masked_secret_unmask_text(&secret, text);
    client_credentials_t credentials = {.client_id = slice_of("front"),
                                        .client_secret = {text, secret.text_len}};
    assert_non_null(client_authenticate(&config->clients, digester, &credentials));
    credentials.client_id = slice_of("nobody");
    assert_null(client_authenticate(&config->clients, digester, &credentials));
    OPENSSL_cleanse(text, sizeof(text));
    assert_int_equal(memory_scan_text(&secret), 0);
    digester_free(digester);
    config_free(config);
    assert_int_equal(memory_scan_text(&secret), 0);
}

static void verify_some_token(config_t *config)
{
    keyset_t *keys = keyset_slot_acquire_keys(config->issuers[0].keys);
    verifier_t *verifier = verifier_new();
    assert_non_null(verifier);
    assert_int_equal(keyset_size(keys), 1);
    const unsigned char signature[32] = {1};
    assert_int_equal(verify_signature(verifier, keyset_at(keys, 0), ALGORITHM_HS256, slice_of("e30.e30"),
                                      (slice_t){(const char *)signature, sizeof(signature)}),
                     REASON_BAD_SIGNATURE);
    verifier_free(verifier);
    keyset_release(keys);
}

static void test_symmetric_keys(void **state)
{
    const fixture_t *fixture = *state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    fixture_write(fixture, "traced.secret", "another");
    write_traced(fixture, "jwks.json", "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"", &secret,
                 "\"}]}");
    config_t *config = try_load(fixture);
    assert_non_null(config);
    assert_int_equal(memory_scan_text(&secret), 0);
    assert_true(memory_scan_bytes(&secret) > 0);
    verify_some_token(config);
    config_free(config);
    assert_int_equal(memory_scan_text(&secret), 0);
    assert_int_equal(memory_scan_bytes(&secret), 0);
}

#define EC_PUBLIC                                                                                            \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

static void test_key_sets_with_what_should_not_be_there(void **state)
{
    const fixture_t *fixture = *state;
    static const struct {
        const char *before;
        const char *behind;
        bool is_loaded;
    } cases[] = {
        {"{\"keys\":[{" EC_PUBLIC ",\"d\":\"", "\"}]}", true},
        {"{" EC_PUBLIC ",\"d\":\"", "\"}", true},
        /* beside a public key */
        {"{\"keys\":[{" EC_PUBLIC "},{\"kty\":\"oct\",\"k\":\"", "\"}]}", true},
        /* the second one of its name */
        {"{\"keys\":[{" EC_PUBLIC ",\"d\":\"", "\",\"d\":\"x\"}]}", false},
        {"{\"keys\":[{\"kty\":\"RSA\",\"oth\":[{\"r\":\"", "\"}]}]}", true},
        {"{\"keys\":[{\"kty\":\"unknown\",\"seed\":\"", "\"}]}", true},
        {"{\"keys\":[{\"kty\":\"oct\",\"alg\":\"RS256\",\"k\":\"", "\"}]}", true},
        {"{\"keys\":[{\"kty\":\"oct\",\"use\":\"enc\",\"k\":\"", "\"}]}", true},
        {"{\"keys\":{\"kty\":\"oct\",\"k\":\"", "\"}}", false},
        {"{\"k\":\"", "\"}", false},
        {"{\"kty\":\"oct\",\"k\":\"", "\"", false},
        {"{\"kty\":\"oct\",\"k\":\"", "", false},
        {"{\"kty\":\"oct\",\"", "\":1}", true},
    };
    fixture_write(fixture, "traced.secret", "another");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        masked_secret_t secret;
        masked_secret_init(&secret);
        write_traced(fixture, "jwks.json", cases[i].before, &secret, cases[i].behind);
        config_t *config = try_load(fixture);
        size_t texts = memory_scan_text(&secret);
        size_t bytes = memory_scan_bytes(&secret);
        if ((config != NULL) != cases[i].is_loaded || texts + bytes != 0)
            fail_msg("%s...%s: %s, %zu and %zu traces", cases[i].before, cases[i].behind,
                     config == NULL ? "refused" : "loaded", texts, bytes);
        config_free(config);
    }
}

/* A token's signature is what makes it a bearer token. */
static json_t *parse_traced_token(const masked_secret_t *secret)
{
    static const char BEFORE[] = "{\"token\" : \"\\u0061";
    char *text = malloc(64 + secret->text_len);
    assert_non_null(text);
    strcpy(text, BEFORE);
    masked_secret_unmask_text(secret, text + strlen(BEFORE));
    strcpy(text + strlen(BEFORE) + secret->text_len, "\"}");
    json_t *json = json_parse_object(slice_of(text));
    assert_non_null(json);
    OPENSSL_cleanse(text, 64 + secret->text_len);
    free(text);
    return json;
}

static void test_parsed_tokens(void **state)
{
    (void)state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    json_t *json = parse_traced_token(&secret);
    assert_true(memory_scan_text(&secret) > 0);
    json_decref(json);
    assert_int_equal(memory_scan_text(&secret), 0);
}

static void test_tokens_parsed_in_an_arena(void **state)
{
    (void)state;
    masked_secret_t secret;
    masked_secret_init(&secret);
    json_arena_open();
    json_decref(parse_traced_token(&secret));
    assert_true(memory_scan_text(&secret) > 0);
    json_arena_close();
    assert_int_equal(memory_scan_text(&secret), 0);
}

int main(void)
{
    json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_scan_finds_what_is_there),
        FIXTURE_TEST(test_client_secrets),
        FIXTURE_TEST(test_credentials_of_a_request),
        FIXTURE_TEST(test_symmetric_keys),
        FIXTURE_TEST(test_key_sets_with_what_should_not_be_there),
        cmocka_unit_test(test_parsed_tokens),
        cmocka_unit_test(test_tokens_parsed_in_an_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
