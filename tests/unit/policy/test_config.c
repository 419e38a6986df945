#include "config_fixture.h"

static void assert_in_directory(const fixture_t *fixture, const char *path, const char *name)
{
    char expected[256];
    snprintf(expected, sizeof(expected), "%s/%s", fixture->directory, name);
    assert_string_equal(path, expected);
}

/* The credentials that a request with this id and secret brings. */
static const client_t *authenticate(const config_t *config, const char *client_id, const char *secret)
{
    digester_t *digester = digester_new();
    assert_non_null(digester);
    client_credentials_t credentials = {.client_id = slice_of(client_id), .client_secret = slice_of(secret)};
    const client_t *client = client_authenticate(&config->clients, digester, &credentials);
    digester_free(digester);
    return client;
}

static void assert_answer(const client_t *client, const char *payload_text, reason_t expected_reason,
                          const char *expected)
{
    json_t *payload = json_loads(payload_text, 0, NULL);
    json_t *answer = json_object();
    assert_non_null(payload);
    assert_int_equal(mapping_apply(client->mapping, payload, answer, NULL), expected_reason);
    if (expected_reason == REASON_NONE) {
        char *text = json_dumps(answer, JSON_COMPACT);
        assert_string_equal(text, expected);
        free(text);
    }
    json_decref(answer);
    json_decref(payload);
}

static const char MINIMAL[] = "listen:\n"
                              "  - address: 127.0.0.1:8080\n"
                              "issuers:\n"
                              "  - issuer: https://idp.example.com/\n"
                              "    jwks_file: jwks.json\n"
                              "    algorithms: [RS256]\n"
                              "    audience: https://channels.example.com\n"
                              "clients:\n"
                              "  - client_id: front\n"
                              "    client_secret_files: [front.secret]\n"
                              "    profile: front_private\n";

static void test_defaults(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = fixture_load(fixture, MINIMAL);
    assert_string_equal(config->file, fixture->config_file);
    assert_string_equal(config->path, "/introspect");
    assert_true(config->has_admin);
    assert_true(config->has_default_admin);
    assert_string_equal(config->admin.text, CONFIG_DEFAULT_ADMIN);
    assert_string_equal(config->admin.host, "127.0.0.1");
    assert_int_equal(config->admin.port, 9090);
    assert_int_equal(config->threads, 0);
    assert_int_equal(config->drain_delay_s, 0);
    assert_int_equal(config->shutdown_timeout_s, 10);
    assert_false(config->is_ready_with_any);
    assert_false(config->allows_core_dumps);
    assert_false(config->user.is_given);
    assert_false(config->filters_syscalls);
    assert_int_equal(config->cache.max_bytes, 64 << 20);
    assert_int_equal(config->cache.stripes, 64);
    assert_int_equal(config->cache.max_ttl_s, 300);
    assert_int_equal(config->limits.max_body_bytes, 64 << 10);
    assert_int_equal(config->limits.max_token_bytes, 16 << 10);
    assert_int_equal(config->note_count, 0);

    assert_int_equal(config->listener_count, 1);
    assert_null(config->listeners[0].certificate_file);
    assert_int_equal(config->listeners[0].line, 2);

    assert_int_equal(config->issuer_count, 1);
    const config_issuer_t *issuer = &config->issuers[0];
    assert_int_equal(issuer->rules.leeway_s, 30);
    assert_false(issuer->rules.audience_is_any);
    assert_null(issuer->rules.audience_claim);
    assert_int_equal(issuer->rules.audience_count, 1);
    assert_string_equal(issuer->rules.audiences[0], "https://channels.example.com");
    assert_int_equal(issuer->rules.token_type_count, 0);
    assert_int_equal(issuer->rules.requirement_count, 0);
    assert_int_equal(issuer->algorithms, 1u << ALGORITHM_RS256);
    assert_int_equal(issuer->max_keys_tried, 8);
    assert_false(keyset_slot_is_fetched(issuer->keys));
    keyset_t *keys = keyset_slot_acquire_keys(issuer->keys);
    assert_int_equal(keyset_size(keys), 2);
    keyset_release(keys);

    assert_int_equal(config->clients.count, 1);
    const client_t *client = &config->clients.clients[0];
    assert_int_equal(client->profile, PROFILE_FRONT_PRIVATE);
    assert_int_equal(client->inactive_status, 401);
    assert_true(client->issuer_is_allowed[0]);
    assert_answer(client, "{\"front_channel_name\":\"N\",\"front_channel_address\":\"A\"}", REASON_NONE,
                  "{\"front_channel_name\":\"N\",\"front_channel_address\":\"A\"}");
    assert_answer(client, "{\"front_channel_name\":\"N\"}", REASON_MAPPING_MISSING, NULL);
    config_free(config);
}

static const char FULL[] =
    "listen:\n"
    "  - address: 127.0.0.1:8080\n"
    "  - address: \"[0:0::1]:8443\"\n"
    "    tls: { certificate_file: tls.crt, private_key_file: tls.key }\n"
    "  - address: 127.0.0.1:8444\n"
    "    tls:\n"
    "      { certificate_file: tls.crt, private_key_file: tls.key, client_ca_file: ca.pem, ticket_lifetime: 7d }\n"
    "  - address: unix:/run/introspectd.sock\n"
    "  - address: unix:near.sock\n"
    "path: /oauth/introspect/\n"
    "admin: { address: 127.0.0.1:9090 }\n"
    "threads: 1024\n"
    "drain_delay: 5m\n"
    "shutdown_timeout: 1h\n"
    "ready: any\n"
    "core_dumps: true\n"
    "user: 1000:4294967294\n"
    "seccomp: true\n"
    "cache: { max_bytes: 128KiB, stripes: 4096, max_ttl: 1d }\n"
    "limits: { max_body: 16MiB, max_token: 16777216 }\n"
    "issuers:\n"
    "  - issuer: https://idp.example.com/\n"
    "    jwks_file: jwks.json\n"
    "    algorithms: [RS256, ES256]\n"
    "    audience: [https://a.example.com, any]\n"
    "    audience_claim: client_id\n"
    "    token_types: [at+jwt, application/JWT, Application/x]\n"
    "    require:\n"
    "      token_use: access\n"
    "      /level/0: 3\n"
    "      quoted: \"3\"\n"
    "      empty: ''\n"
    "    leeway: 0\n"
    "  - issuer: https://other.example.com\n"
    "    jwks_file: jwks.json\n"
    "    algorithms: [ES256]\n"
    "    audience: any\n"
    "    leeway: 10m\n"
    "clients:\n"
    "  - client_id: shared\n"
    "    client_secret_files: [front.secret, second.secret]\n"
    "    profile: front_shared\n"
    "    issuers: [https://other.example.com]\n"
    "    inactive_status: 200\n"
    "    fields:\n"
    "      resrouce_owner_name: [name]\n"
    "      resource_owner_name: name\n"
    "      resource_owner_id: sub\n"
    "  - client_id: front\n"
    "    client_secret_files: [front.secret]\n"
    "    profile: front_private\n"
    "    fields:\n"
    "      front_channel_name: [/channel/name, \"https://ns.example.com/channel\", name]\n"
    "      front_channel_address: \"{tid}:{sub}\"\n"
    "  - client_id: api\n"
    "    client_secret_files: [front.secret]\n"
    "    profile: rfc7662\n";

static config_t *load_full(const fixture_t *fixture)
{
    fixture_write(fixture, "tls.crt", "");
    fixture_write(fixture, "tls.key", "");
    fixture_write(fixture, "ca.pem", "text before\n-----BEGIN CERTIFICATE-----\n");
    fixture_write(fixture, "second.secret", "second\r\n");
    return fixture_load(fixture, FULL);
}

static void test_full_server_part(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = load_full(fixture);
    assert_int_equal(config->listener_count, 5);
    const config_listener_t *listeners = config->listeners;
    assert_string_equal(listeners[0].address.text, "127.0.0.1:8080");
    assert_string_equal(listeners[0].address.host, "127.0.0.1");
    assert_int_equal(listeners[0].address.port, 8080);
    assert_null(listeners[0].address.unix_path);
    assert_string_equal(listeners[1].address.text, "[0:0::1]:8443");
    assert_string_equal(listeners[1].address.host, "::1");
    assert_int_equal(listeners[1].address.port, 8443);
    assert_int_equal(listeners[1].line, 3);
    assert_in_directory(fixture, listeners[1].certificate_file, "tls.crt");
    assert_in_directory(fixture, listeners[1].private_key_file, "tls.key");
    assert_null(listeners[1].client_ca_file);
    assert_int_equal(listeners[1].ticket_lifetime_s, 12 * 3600);
    assert_in_directory(fixture, listeners[2].client_ca_file, "ca.pem");
    assert_int_equal(listeners[2].ticket_lifetime_s, 7 * 86400);
    assert_null(listeners[3].address.host);
    assert_string_equal(listeners[3].address.unix_path, "/run/introspectd.sock");
    assert_in_directory(fixture, listeners[4].address.unix_path, "near.sock");
    assert_string_equal(config->path, "/oauth/introspect/");
    assert_true(config->has_admin);
    assert_false(config->has_default_admin);
    assert_int_equal(config->admin.port, 9090);
    assert_int_equal(config->threads, 1024);
    assert_int_equal(config->drain_delay_s, 300);
    assert_int_equal(config->shutdown_timeout_s, 3600);
    assert_true(config->is_ready_with_any);
    assert_true(config->allows_core_dumps);
    assert_true(config->user.is_given);
    assert_null(config->user.name);
    assert_int_equal(config->user.uid, 1000);
    assert_true(config->user.has_gid);
    assert_int_equal(config->user.gid, 4294967294);
    assert_true(config->filters_syscalls);
    assert_int_equal(config->cache.max_bytes, 128 << 10);
    assert_int_equal(config->cache.stripes, 4096);
    assert_int_equal(config->cache.max_ttl_s, 86400);
    assert_int_equal(config->limits.max_body_bytes, 16 << 20);
    assert_int_equal(config->limits.max_token_bytes, 16 << 20);
    config_free(config);
}

static void test_full_issuers(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = load_full(fixture);
    assert_int_equal(config->issuer_count, 2);
    const config_issuer_t *issuer = &config->issuers[0];
    const claims_rules_t *rules = &issuer->rules;
    assert_string_equal(rules->issuer, "https://idp.example.com/");
    assert_in_directory(fixture, issuer->jwks_file, "jwks.json");
    assert_int_equal(issuer->algorithms, 1u << ALGORITHM_RS256 | 1u << ALGORITHM_ES256);
    /* In a list the word is an audience like any other. */
    assert_false(rules->audience_is_any);
    assert_int_equal(rules->audience_count, 2);
    assert_string_equal(rules->audiences[1], "any");
    json_t *payload = json_pack("{s:s}", "client_id", "x");
    assert_ptr_equal(claim_path_get(rules->audience_claim, payload), json_object_get(payload, "client_id"));
    json_decref(payload);
    assert_int_equal(rules->token_type_count, 3);
    assert_string_equal(rules->token_types[0], "at+jwt");
    assert_string_equal(rules->token_types[1], "JWT");
    assert_string_equal(rules->token_types[2], "x");
    assert_int_equal(rules->requirement_count, 4);
    assert_string_equal(rules->requirements[0].value, "access");
    assert_true(rules->requirements[0].matches_scalars);
    payload = json_pack("{s:[i]}", "level", 3);
    assert_int_equal(json_integer_value(claim_path_get(rules->requirements[1].claim, payload)), 3);
    json_decref(payload);
    assert_true(rules->requirements[1].matches_scalars);
    assert_string_equal(rules->requirements[2].value, "3");
    assert_false(rules->requirements[2].matches_scalars);
    assert_string_equal(rules->requirements[3].value, "");
    assert_int_equal(rules->leeway_s, 0);

    assert_true(config->issuers[1].rules.audience_is_any);
    assert_int_equal(config->issuers[1].rules.audience_count, 0);
    assert_int_equal(config->issuers[1].rules.leeway_s, 600);
    config_free(config);
}

static void test_full_clients(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = load_full(fixture);
    assert_int_equal(config->clients.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(config->clients.clients[i].index, i);

    const client_t *shared = client_set_find(&config->clients, slice_of("shared"));
    assert_non_null(shared);
    assert_int_equal(shared->profile, PROFILE_FRONT_SHARED);
    assert_int_equal(shared->inactive_status, 200);
    assert_false(shared->issuer_is_allowed[0]);
    assert_true(shared->issuer_is_allowed[1]);
    /* What the profile requires comes first, in the profile's order; the others follow in the file's. */
    assert_answer(
        shared, "{\"sub\":\"1\",\"name\":\"N\"}", REASON_NONE,
        "{\"resource_owner_id\":\"1\",\"resource_owner_name\":\"N\",\"resrouce_owner_name\":\"N\"}");

    const client_t *front = client_set_find(&config->clients, slice_of("front"));
    assert_non_null(front);
    assert_int_equal(front->inactive_status, 401);
    assert_true(front->issuer_is_allowed[0] && front->issuer_is_allowed[1]);
    assert_answer(front,
                  "{\"https://ns.example.com/channel\":\"C\",\"name\":\"N\",\"tid\":\"t\",\"sub\":\"s\"}",
                  REASON_NONE, "{\"front_channel_name\":\"C\",\"front_channel_address\":\"t:s\"}");
    assert_answer(front, "{\"name\":\"N\",\"sub\":\"s\"}", REASON_MAPPING_MISSING, NULL);

    const client_t *api = client_set_find(&config->clients, slice_of("api"));
    assert_non_null(api);
    assert_int_equal(api->inactive_status, 200);
    assert_answer(api, "{}", REASON_NONE, "{}");
    config_free(config);
}

static void test_optional_fields_may_be_missing(void **state)
{
    const fixture_t *fixture = *state;
    char yaml[2048];
    snprintf(yaml, sizeof(yaml), "%s    fields: { extra: e, front_channel_name: n }\n", MINIMAL);
    config_t *config = fixture_load(fixture, yaml);
    const client_t *client = &config->clients.clients[0];
    assert_answer(client, "{\"n\":\"N\",\"front_channel_address\":\"A\"}", REASON_NONE,
                  "{\"front_channel_name\":\"N\",\"front_channel_address\":\"A\"}");
    assert_answer(client, "{\"e\":\"E\",\"front_channel_address\":\"A\"}", REASON_MAPPING_MISSING, NULL);
    config_free(config);
}

static void test_words_for_the_defaults(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = fixture_load(
        fixture, "threads: auto\n"
                 "ready: all\n"
                 "cache: {}\n"
                 "limits: {}\n"
                 "listen: [ address: 127.0.0.1:8080 ]\n"
                 "clients:\n"
                 "  - { client_id: c, client_secret_files: [front.secret], profile: rfc7662, fields: {} }\n"
                 "issuers:\n"
                 "  - issuer: i\n"
                 "    jwks_file: jwks.json\n"
                 "    algorithms: [RS256]\n"
                 "    audience: any\n"
                 "    require: {}\n");
    assert_int_equal(config->threads, 0);
    assert_false(config->is_ready_with_any);
    assert_int_equal(config->cache.stripes, 64);
    assert_int_equal(config->limits.max_token_bytes, 16 << 10);
    assert_int_equal(config->issuers[0].rules.requirement_count, 0);
    /* The clients name issuers, wherever these stand. */
    assert_true(config->clients.clients[0].issuer_is_allowed[0]);
    config_free(config);
}

static void test_secrets(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = load_full(fixture);
    assert_non_null(authenticate(config, "front", FIXTURE_SECRET));
    assert_null(authenticate(config, "front", FIXTURE_SECRET "\n"));
    assert_null(authenticate(config, "front", "second"));
    assert_non_null(authenticate(config, "shared", FIXTURE_SECRET));
    assert_non_null(authenticate(config, "shared", "second"));
    assert_null(authenticate(config, "shared", "second\r"));
    assert_null(authenticate(config, "nobody", FIXTURE_SECRET));
    config_free(config);
}

static void test_only_one_newline_is_stripped(void **state)
{
    const fixture_t *fixture = *state;
    static const struct {
        const char *file;
        const char *secret;
    } CASES[] = {{"s", "s"}, {"s\n\n", "s\n"}, {"s\r", "s\r"}, {" s \n", " s "}, {"s\n\r\n", "s\n"}};
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        fixture_write(fixture, "front.secret", CASES[i].file);
        config_t *config = fixture_load(fixture, MINIMAL);
        assert_non_null(authenticate(config, "front", CASES[i].secret));
        config_free(config);
    }
}

static void test_longest_secret(void **state)
{
    const fixture_t *fixture = *state;
    char secret[CLIENT_MAX_SECRET_BYTES + 2];
    memset(secret, 's', CLIENT_MAX_SECRET_BYTES);
    memcpy(secret + CLIENT_MAX_SECRET_BYTES, "\n", sizeof("\n"));
    fixture_write(fixture, "front.secret", secret);
    config_t *config = fixture_load(fixture, MINIMAL);
    secret[CLIENT_MAX_SECRET_BYTES] = '\0';
    assert_non_null(authenticate(config, "front", secret));
    config_free(config);
}

static void test_find_issuer(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = load_full(fixture);
    assert_ptr_equal(config_find_issuer(config, slice_of("https://idp.example.com/")), &config->issuers[0]);
    assert_ptr_equal(config_find_issuer(config, slice_of("https://other.example.com")), &config->issuers[1]);
    assert_null(config_find_issuer(config, slice_of("https://idp.example.com")));
    assert_null(config_find_issuer(config, slice_of("https://other.example.com/")));
    assert_null(config_find_issuer(config, slice_of("HTTPS://idp.example.com/")));
    assert_null(config_find_issuer(config, slice_of("")));
    assert_null(config_find_issuer(config, slice_of(NULL)));
    static const char WITH_NUL[] = "https://idp.example.com/\0x";
    assert_null(config_find_issuer(config, (slice_t){WITH_NUL, sizeof(WITH_NUL) - 1}));
    config_free(config);
}

static void test_json(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = fixture_load(
        fixture, "{\n\t\"listen\":[{\"address\":\"[::]:8443\"}],\n"
                 "\t\"threads\":2,\"path\":\"\\/introspect\",\"ready\":\"any\",\n"
                 "\t\"cache\":{\"max_bytes\":0,\"max_ttl\":\"1m\"},\n"
                 "\t\"limits\":{\"max_body\":1024,\"failed_authentications\":0},\n"
                 "\t\"issuers\":[{\"issuer\":\"https://idp.example.com/\",\"jwks_file\":\"jwks.json\",\n"
                 "\t\t\"algorithms\":[\"RS256\"],\"audience\":\"any\",\"require\":{\"a\":true}}],\n"
                 "\t\"clients\":[{\"client_id\":\"front\",\"client_secret_files\":[\"front.secret\"],\n"
                 "\t\t\"profile\":\"rfc7662\",\"inactive_status\":401,\"fields\":{\"n\":[\"name\"]}}]\n}\n");
    assert_string_equal(config->listeners[0].address.host, "::");
    assert_int_equal(config->threads, 2);
    assert_true(config->is_ready_with_any);
    assert_string_equal(config->path, "/introspect");
    assert_int_equal(config->cache.max_bytes, 0);
    assert_int_equal(config->cache.max_ttl_s, 60);
    assert_int_equal(config->limits.max_body_bytes, 1024);
    /* A token comes in a body. */
    assert_int_equal(config->limits.max_token_bytes, 1024);
    /* A quoted `any` is an audience, so JSON cannot turn the check off. */
    assert_false(config->issuers[0].rules.audience_is_any);
    assert_string_equal(config->issuers[0].rules.audiences[0], "any");
    assert_true(config->issuers[0].rules.requirements[0].matches_scalars);
    assert_string_equal(config->issuers[0].rules.requirements[0].value, "true");
    assert_int_equal(config->clients.clients[0].inactive_status, 401);
    assert_answer(&config->clients.clients[0], "{\"name\":\"N\"}", REASON_NONE, "{\"n\":\"N\"}");
    config_free(config);
}

static void test_relative_config_path(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "introspectd.yaml", MINIMAL);
    char *working = getcwd(NULL, 0);
    assert_non_null(working);
    const char *name = strrchr(fixture->directory, '/') + 1;

    assert_int_equal(chdir(fixture->directory), 0);
    config_error_t error = {""};
    config_t *plain = config_load("introspectd.yaml", NULL, NULL, &error);
    config_t *dotted = config_load("./introspectd.yaml", NULL, NULL, &error);
    assert_int_equal(chdir(".."), 0);
    char relative[128];
    snprintf(relative, sizeof(relative), "%s/introspectd.yaml", name);
    config_t *below = config_load(relative, NULL, NULL, &error);
    assert_int_equal(chdir(working), 0);
    free(working);

    assert_non_null(plain);
    assert_non_null(dotted);
    assert_non_null(below);
    assert_string_equal(plain->file, "introspectd.yaml");
    assert_in_directory(fixture, plain->issuers[0].jwks_file, "jwks.json");
    assert_in_directory(fixture, dotted->issuers[0].jwks_file, "./jwks.json");
    assert_in_directory(fixture, below->issuers[0].jwks_file, "jwks.json");
    config_free(plain);
    config_free(dotted);
    config_free(below);
}

static void test_absolute_paths_stay(void **state)
{
    const fixture_t *fixture = *state;
    char yaml[2048];
    snprintf(yaml, sizeof(yaml),
             "listen: [ address: 127.0.0.1:0, address: 127.0.0.1:0 ]\n"
             "issuers:\n"
             "  - { issuer: i, jwks_file: %s/jwks.json, algorithms: [RS256], audience: any }\n"
             "clients:\n"
             "  - { client_id: front, client_secret_files: [ %s/front.secret ], profile: rfc7662 }\n",
             fixture->directory, fixture->directory);
    config_t *config = fixture_load(fixture, yaml);
    assert_in_directory(fixture, config->issuers[0].jwks_file, "jwks.json");
    /* Port 0 is a free one each time, so twice the same text is no clash. */
    assert_int_equal(config->listener_count, 2);
    config_free(config);
}

static void test_anchors(void **state)
{
    const fixture_t *fixture = *state;
    config_t *config = fixture_load(fixture, "listen: [ address: 127.0.0.1:8080 ]\n"
                                             "issuers:\n"
                                             "  - issuer: &one https://idp.example.com/\n"
                                             "    jwks_file: jwks.json\n"
                                             "    algorithms: &algorithms [RS256]\n"
                                             "    audience: &audience [a, b]\n"
                                             "  - issuer: https://other.example.com/\n"
                                             "    jwks_file: jwks.json\n"
                                             "    algorithms: *algorithms\n"
                                             "    audience: *audience\n"
                                             "clients:\n"
                                             "  - client_id: front\n"
                                             "    client_secret_files: [front.secret]\n"
                                             "    profile: rfc7662\n"
                                             "    issuers: [ *one ]\n");
    assert_int_equal(config->issuers[1].algorithms, 1u << ALGORITHM_RS256);
    assert_int_equal(config->issuers[1].rules.audience_count, 2);
    assert_true(config->clients.clients[0].issuer_is_allowed[0]);
    assert_false(config->clients.clients[0].issuer_is_allowed[1]);
    config_free(config);
}

static void test_free_of_nothing(void **state)
{
    (void)state;
    config_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_defaults),
        FIXTURE_TEST(test_full_server_part),
        FIXTURE_TEST(test_full_issuers),
        FIXTURE_TEST(test_full_clients),
        FIXTURE_TEST(test_optional_fields_may_be_missing),
        FIXTURE_TEST(test_words_for_the_defaults),
        FIXTURE_TEST(test_secrets),
        FIXTURE_TEST(test_only_one_newline_is_stripped),
        FIXTURE_TEST(test_longest_secret),
        FIXTURE_TEST(test_find_issuer),
        FIXTURE_TEST(test_json),
        FIXTURE_TEST(test_relative_config_path),
        FIXTURE_TEST(test_absolute_paths_stay),
        FIXTURE_TEST(test_anchors),
        cmocka_unit_test(test_free_of_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
