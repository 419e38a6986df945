#include "config_fixture.h"

/* NOLINTBEGIN(bugprone-reserved-identifier): the names are the linker's. */
/* The linker routes the program's own calls through here (CMakeLists.txt); its libraries' stay as they are.
 */
static long allocations_left = -1; /* until one fails; -1: none does */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static bool fails(void)
{
    if (allocations_left < 0)
        return false;
    return allocations_left-- == 0;
}

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

/* NOLINTEND(bugprone-reserved-identifier) */

static const char YAML[] = "trusted_proxies: [10.0.0.0/8]\n"
                           "listen:\n"
                           "  - address: 127.0.0.1:8080\n"
                           "    tls: { certificate_file: jwks.json, private_key_file: jwks.json,\n"
                           "           client_ca_file: ca.pem }\n"
                           "  - address: unix:near.sock\n"
                           "admin: { address: 127.0.0.1:9090 }\n"
                           "access_log: { file: access.log }\n"
                           "issuers:\n"
                           "  - issuer: https://idp.example.com/\n"
                           "    jwks_file: jwks.json\n"
                           "    algorithms: [RS256]\n"
                           "    audience: [a, b]\n"
                           "    audience_claim: client_id\n"
                           "    token_types: [at+jwt]\n"
                           "    require: { token_use: access, /level: 3 }\n"
                           "  - issuer: https://other.example.com\n"
                           "    discover: true\n"
                           "    ca_file: ca.pem\n"
                           "    algorithms: [RS256]\n"
                           "    audience: any\n"
                           "  - issuer: third\n"
                           "    jwks_url: https://third.example.com/keys\n"
                           "    algorithms: [RS256]\n"
                           "    audience: any\n"
                           "clients:\n"
                           "  - client_id: front\n"
                           "    client_secret_files: [front.secret, front.secret]\n"
                           "    profile: front_private\n"
                           "    fields:\n"
                           "      front_channel_address: [ address, '{tid}:{sub}' ]\n"
                           "      extra: /a/b\n"
                           "  - client_id: api\n"
                           "    client_secret_files: [front.secret]\n"
                           "    profile: rfc7662\n";

static void test_each_allocation_may_fail(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "jwks.json", "{\"keys\":[" FIXTURE_RSA_KEY ",{\"kty\":\"PQC\",\"kid\":\"x\"}]}");
    fixture_write(fixture, "ca.pem", "-----BEGIN CERTIFICATE-----\n");
    fixture_write(fixture, "introspectd.yaml", YAML);
    config_t *config = NULL;
    long count = 0;
    for (; config == NULL; count++) {
        assert_true(count < 1000);
        config_error_t error = {""};
        allocations_left = count;
        config = config_load(fixture->config_file, NULL, NULL, &error);
        allocations_left = -1;
        if (config == NULL && strstr(error.text, "out of memory") == NULL &&
            strstr(error.text, "Cannot allocate memory") == NULL && strstr(error.text, "OpenSSL") == NULL)
            fail_msg("allocation %ld: %s", count, error.text);
    }
    /* Enough for each string of the config. */
    assert_true(count > 40);
    assert_int_equal(config->note_count, 1);
    config_free(config);
}

static void test_each_allocation_for_the_admin_listener_may_fail(void **state)
{
    const fixture_t *fixture = *state;
    static const char *const ADMINS[] = {"", "admin: { address: unix:near.sock }\n"};
    for (size_t i = 0; i < sizeof(ADMINS) / sizeof(ADMINS[0]); i++) {
        char yaml[256];
        snprintf(yaml, sizeof(yaml), "listen: []\n%sissuers: []\nclients: []\n", ADMINS[i]);
        fixture_write(fixture, "introspectd.yaml", yaml);
        config_t *config = NULL;
        long count = 0;
        for (; config == NULL; count++) {
            assert_true(count < 1000);
            config_error_t error = {""};
            allocations_left = count;
            config = config_load_admin(fixture->config_file, &error);
            allocations_left = -1;
            if (config == NULL && strstr(error.text, "out of memory") == NULL &&
                strstr(error.text, "Cannot allocate memory") == NULL)
                fail_msg("allocation %ld: %s", count, error.text);
        }
        assert_true(count > 4);
        config_free(config);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_each_allocation_may_fail),
        FIXTURE_TEST(test_each_allocation_for_the_admin_listener_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
