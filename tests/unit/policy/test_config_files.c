#include "config_fixture.h"

enum { MAX_TOLD = 32 };

typedef struct told {
    const fixture_t *fixture;
    size_t count;
    char *paths[MAX_TOLD];
    bool removes; /* each file that it is told of, other than the config */
} told_t;

static void take_file(void *data, const char *path)
{
    told_t *told = data;
    assert_in_range(told->count, 0, MAX_TOLD - 1);
    told->paths[told->count] = strdup(path);
    assert_non_null(told->paths[told->count]);
    if (told->removes && told->count > 0)
        assert_int_equal(unlink(path), 0);
    told->count++;
}

/* Names ends the list with NULL; a name that begins with / is a whole path. Forgets what was told. */
static void assert_told(told_t *told, const char *const *names)
{
    size_t count = 0;
    for (; names[count] != NULL; count++) {
        char expected[512];
        bool is_absolute = names[count][0] == '/';
        snprintf(expected, sizeof(expected), "%s%s%s", is_absolute ? "" : told->fixture->directory,
                 is_absolute ? "" : "/", names[count]);
        if (count >= told->count)
            fail_msg("%s was not told", expected);
        assert_string_equal(told->paths[count], expected);
    }
    assert_int_equal(told->count, count);
    for (size_t i = 0; i < told->count; i++)
        free(told->paths[i]);
    told->count = 0;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static const char YAML[] = "clients:\n"
                           "  - client_id: front\n"
                           "    client_secret_files: [front.secret, second.secret]\n"
                           "    profile: front_private\n"
                           "  - client_id: api\n"
                           "    client_secret_files: [front.secret]\n"
                           "    profile: rfc7662\n"
                           "listen:\n"
                           "  - address: 127.0.0.1:8080\n"
                           "  - address: 127.0.0.1:8443\n"
                           "    tls: { private_key_file: tls.key, certificate_file: tls.crt,\n"
                           "           client_ca_file: clients.pem }\n"
                           "  - address: unix:near.sock\n"
                           "issuers:\n"
                           "  - issuer: https://a.example.com/\n"
                           "    jwks_file: jwks.json\n"
                           "    algorithms: [RS256]\n"
                           "    audience: any\n"
                           "  - issuer: https://b.example.com/\n"
                           "    discover: true\n"
                           "    ca_file: ./ca.pem\n"
                           "    algorithms: [RS256]\n"
                           "    audience: any\n";

static void write_files(const fixture_t *fixture)
{
    fixture_write(fixture, "tls.crt", "");
    fixture_write(fixture, "tls.key", "");
    fixture_write(fixture, "ca.pem", "-----BEGIN CERTIFICATE-----\n");
    fixture_write(fixture, "clients.pem", "-----BEGIN CERTIFICATE-----\n");
    fixture_write(fixture, "second.secret", "second");
    fixture_write(fixture, "introspectd.yaml", YAML);
}

static void test_every_file_is_told(void **state)
{
    const fixture_t *fixture = *state;
    told_t told = {.fixture = fixture};
    write_files(fixture);
    config_error_t error = {""};
    config_t *config = config_load(fixture->config_file, take_file, &told, &error);
    if (config == NULL)
        fail_msg("%s", error.text);
    config_free(config);
    assert_told(&told, NAMES("introspectd.yaml", "tls.crt", "tls.key", "clients.pem", "jwks.json", "./ca.pem",
                             "front.secret", "second.secret", "front.secret"));
}

/* What is changed at the moment in which it is told is seen as it is then. */
static void test_each_file_is_told_before_it_is_read(void **state)
{
    const fixture_t *fixture = *state;
    static const struct {
        const char *yaml;
        const char *name;
    } CASES[] = {
        {"listen: [{ address: '127.0.0.1:80', tls: { certificate_file: tls.crt, private_key_file: tls.key } }]\n"
         "issuers: x\nclients: x\n",
         "tls.crt"},
        {"listen: [ address: 127.0.0.1:80 ]\nclients: x\n"
         "issuers: [{ issuer: i, algorithms: [RS256], audience: any, jwks_file: jwks.json }]\n",
         "jwks.json"},
        {"listen: [ address: 127.0.0.1:80 ]\nclients: x\n"
         "issuers: [{ issuer: i, algorithms: [RS256], audience: any, jwks_url: 'https://a', ca_file: ca.pem }]\n",
         "ca.pem"},
        {"listen: [ address: 127.0.0.1:80 ]\n"
         "issuers: [{ issuer: i, algorithms: [RS256], audience: any, jwks_url: 'https://a' }]\n"
         "clients: [{ client_id: c, client_secret_files: [front.secret], profile: rfc7662 }]\n",
         "front.secret"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        told_t told = {.fixture = fixture, .removes = true};
        write_files(fixture);
        fixture_write(fixture, "introspectd.yaml", CASES[i].yaml);
        config_error_t error = {""};
        assert_null(config_load(fixture->config_file, take_file, &told, &error));
        assert_non_null(strstr(error.text, "No such file or directory"));
        assert_told(&told, NAMES("introspectd.yaml", CASES[i].name));
    }
}

static void test_missing_files_are_told(void **state)
{
    const fixture_t *fixture = *state;
    told_t told = {.fixture = fixture};
    config_error_t error = {""};
    assert_null(config_load(fixture->config_file, take_file, &told, &error));
    assert_told(&told, NAMES("introspectd.yaml"));

    static const struct {
        const char *missing;
        const char *names[MAX_TOLD];
    } CASES[] = {
        {"tls.crt", {"introspectd.yaml", "tls.crt"}},
        {"tls.key", {"introspectd.yaml", "tls.crt", "tls.key"}},
        {"clients.pem", {"introspectd.yaml", "tls.crt", "tls.key", "clients.pem"}},
        {"jwks.json", {"introspectd.yaml", "tls.crt", "tls.key", "clients.pem", "jwks.json"}},
        {"ca.pem", {"introspectd.yaml", "tls.crt", "tls.key", "clients.pem", "jwks.json", "./ca.pem"}},
        {"second.secret",
         {"introspectd.yaml", "tls.crt", "tls.key", "clients.pem", "jwks.json", "./ca.pem", "front.secret",
          "second.secret"}},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        write_files(fixture);
        fixture_write(fixture, "jwks.json", "{\"keys\":[]}");
        char path[256];
        snprintf(path, sizeof(path), "%s/%s", fixture->directory, CASES[i].missing);
        assert_int_equal(unlink(path), 0);
        assert_null(config_load(fixture->config_file, take_file, &told, &error));
        assert_told(&told, CASES[i].names);
    }
}

static void test_a_broken_config_is_told_alone(void **state)
{
    const fixture_t *fixture = *state;
    told_t told = {.fixture = fixture};
    config_error_t error = {""};
    fixture_write(fixture, "introspectd.yaml", "listen: [\n");
    assert_null(config_load(fixture->config_file, take_file, &told, &error));
    assert_told(&told, NAMES("introspectd.yaml"));
}

static void test_relative_config_is_told_absolute(void **state)
{
    const fixture_t *fixture = *state;
    static const struct {
        const char *given; /* %s: the directory's name */
        const char *directory;
        const char *told;
    } CASES[] = {
        {"introspectd.yaml", ".", "introspectd.yaml"},
        {"./introspectd.yaml", ".", "./introspectd.yaml"},
        {"%s/introspectd.yaml", "..", "introspectd.yaml"},
    };
    char *working = getcwd(NULL, 0);
    assert_non_null(working);
    const char *name = strrchr(fixture->directory, '/') + 1;
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        told_t told = {.fixture = fixture};
        char given[128];
        const char *percent = strstr(CASES[i].given, "%s");
        snprintf(given, sizeof(given), "%s%s", percent == NULL ? CASES[i].given : name,
                 percent == NULL ? "" : percent + 2);
        fixture_write(fixture, "introspectd.yaml", "");
        assert_int_equal(chdir(fixture->directory), 0);
        assert_int_equal(chdir(CASES[i].directory), 0);
        config_error_t error = {""};
        assert_null(config_load(given, take_file, &told, &error));
        assert_int_equal(chdir(working), 0);
        assert_told(&told, NAMES(CASES[i].told));
    }
    free(working);
}

static void test_absolute_paths_are_told_as_they_are(void **state)
{
    const fixture_t *fixture = *state;
    told_t told = {.fixture = fixture};
    config_error_t error = {""};
    assert_null(config_load("/absent-introspectd.yaml", take_file, &told, &error));
    assert_told(&told, NAMES("/absent-introspectd.yaml"));

    fixture_write(
        fixture, "introspectd.yaml",
        "listen: [ address: 127.0.0.1:80 ]\nclients: x\n"
        "issuers: [{ issuer: i, algorithms: [RS256], audience: any, jwks_file: /absent/k.json }]\n");
    assert_null(config_load(fixture->config_file, take_file, &told, &error));
    assert_told(&told, NAMES("introspectd.yaml", "/absent/k.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_every_file_is_told),
        FIXTURE_TEST(test_each_file_is_told_before_it_is_read),
        FIXTURE_TEST(test_missing_files_are_told),
        FIXTURE_TEST(test_a_broken_config_is_told_alone),
        FIXTURE_TEST(test_relative_config_is_told_absolute),
        FIXTURE_TEST(test_absolute_paths_are_told_as_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
