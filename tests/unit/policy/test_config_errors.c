#include "config_refusal.h"

static void test_structure(void **state)
{
    static const refusal_t CHANGES[] = {
        {"", "issuer:\n", ":12: issuer: unknown key; did you mean issuers?"},
        {"", "lissten: x\n", ":12: lissten: unknown key; did you mean listen?"},
        {"", "zebra: x\n", ":12: zebra: unknown key"},
        {"", "\"a b\\n\\e\": x\n", ":12: [\"a b??\"]: unknown key"},
        {"", "<<: {}\n", ":12: [\"<<\"]: unknown key"},
        {"", "{}: x\n", ":12: [\"?\"]: a key must be a string"},
        {"", "listen: x\n", ":12: listen: given twice (first on line 1)"},
        {"", "\"clients\": x\n", ":12: clients: given twice (first on line 8)"},
        {"", "cache:\n", ":12: cache: must be a mapping"},
        {"", "cache: []\n", ":12: cache: must be a mapping"},
        {"", "admin: {}\n", ":12: admin.address: missing"},
        {"    profile: front_private\n", "", ":9: clients[0].profile: missing"},
        {"    profile", "    profil", ":11: clients[0].profil: unknown key; did you mean profile?"},
        {"    client_secret_files", "    client_secret",
         ":10: clients[0].client_secret: unknown key; did you mean client_secret_files?"},
        {"  - client_id: front", "  - x\n  - client_id: front", ":9: clients[0]: must be a mapping"},
        {"    profile", "    client_id: x\n    profile",
         ":11: clients[0].client_id: given twice (first on line 9)"},
        {"  - issuer: https://idp.example.com/\n    jwks_file: jwks.json\n", "  - jwks_file: jwks.json\n",
         ":4: issuers[0].issuer: missing"},
        {"    algorithms: [RS256]\n", "", ":4: issuers[0].algorithms: missing"},
        {"    audience: [https://channels.example.com]\n", "", ":4: issuers[0].audience: missing"},
        {"    jwks_file: jwks.json\n", "",
         ":4: issuers[0]: must have one of jwks_file, jwks_url and discover: true"},
        {"    client_secret_files: [front.secret]\n", "", ":9: clients[0].client_secret_files: missing"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_document(void **state)
{
    const fixture_t *fixture = *state;
    static const struct {
        const char *yaml;
        const char *expected;
    } CASES[] = {
        {"", ":1: the file is empty"},
        {"# nothing\n", ":1: the file is empty"},
        {"[]\n", ":1: must be a mapping"},
        {"\ntext\n", ":2: must be a mapping"},
        {"{}\n", ":1: listen: missing"},
        {"listen: []\nclients: []\n", ":1: issuers: missing"},
        {"listen: []\nissuers: []\n", ":1: clients: missing"},
        {"a: b\n---\nc: d\n", ":2: a second document begins; only one is legal"},
        {"listen: [\n", ":2: did not find expected node content while parsing a flow node"},
        {"listen: \xFF\n", ":1: invalid leading UTF-8 octet"},
        {"listen: !x y\n", ":1: a tag that is not known here"},
        {"{\"listen\": [],\n \"issuers\" []}\n",
         ":2: did not find expected ',' or '}' while parsing a flow mapping (from line 1)"},
    };
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        fixture_write(fixture, "introspectd.yaml", CASES[i].yaml);
        refusal_assert(fixture, CASES[i].expected);
    }
}

static void test_file(void **state)
{
    fixture_t *fixture = *state;
    refusal_assert(fixture, ": cannot be read: No such file or directory");
    char *text = malloc((1 << 20) + 2);
    assert_non_null(text);
    memset(text, ' ', 1 << 20);
    fixture_write_bytes(fixture, "introspectd.yaml", text, 1 << 20);
    refusal_assert(fixture, ":1: the file is empty");
    text[1 << 20] = ' ';
    fixture_write_bytes(fixture, "introspectd.yaml", text, (1 << 20) + 1);
    free(text);
    refusal_assert(fixture, ": cannot be read: over 1 MiB");
    snprintf(fixture->config_file, sizeof(fixture->config_file), "%s", fixture->directory);
    refusal_assert(fixture, ": cannot be read: Is a directory");
    snprintf(fixture->config_file, sizeof(fixture->config_file), "%s/absent/introspectd.yaml",
             fixture->directory);
    refusal_assert(fixture, ": cannot be read: No such file or directory");
}

static void test_name_is_told_as_given(void **state)
{
    (void)state;
    config_error_t error;
    assert_null(config_load("./absent\n.yaml", NULL, NULL, &error));
    assert_string_equal(error.text, "./absent?.yaml: cannot be read: No such file or directory");
    assert_null(config_load("", NULL, NULL, &error));
    assert_string_equal(error.text, ": cannot be read: No such file or directory");
}

/* A line that is too long loses its end, never half a character. */
static void test_long_name(void **state)
{
    (void)state;
    char name[2 * CONFIG_ERROR_SIZE];
    for (size_t shift = 0; shift < 3; shift++) {
        memset(name, 'x', shift);
        for (size_t i = shift; i + 3 < sizeof(name); i += 3)
            memcpy(name + i, "\xE2\x82\xAC", 4);
        config_error_t error;
        assert_null(config_load(name, NULL, NULL, &error));
        size_t len = strlen(error.text);
        assert_true(len > CONFIG_ERROR_SIZE - 5);
        assert_int_equal((len - shift) % 3, 0);
        assert_memory_equal(error.text, name, len);
    }
}

static void test_empty_lists(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "introspectd.yaml",
                  "listen: [ address: 127.0.0.1:80 ]\nissuers: []\nclients: []\n");
    refusal_assert(fixture, ":2: issuers: must not be empty");
    char yaml[1024];
    snprintf(yaml, sizeof(yaml), "%.*sclients: []\n", (int)(strstr(REFUSAL_BASE, "clients:") - REFUSAL_BASE),
             REFUSAL_BASE);
    fixture_write(fixture, "introspectd.yaml", yaml);
    refusal_assert(fixture, ":8: clients: must not be empty");
}

/* Aliases are told at the line where they are used. */
static void test_aliases(void **state)
{
    static const refusal_t CHANGES[] = {
        {"", "path: &p /ok\nthreads: *p\n", ":13: threads: must be auto *"},
        {"[https://channels.example.com]", "&a [x, y]\n    token_types: *a\n    require: *a",
         ":9: issuers[0].require: must be a mapping"},
        {"front_private\n", "front_private\n    fields: &f\n      x: *f\n",
         ":13: clients[0].fields.x: must be a single value, not a list or a mapping"},
        {"front_private\n", "front_private\n    fields:\n      x: &x [ a, *x ]\n",
         ":13: clients[0].fields.x[1]: must be a single value, not a list or a mapping"},
        {"", "cache: &c { max_bytes: *c }\n",
         ":12: cache.max_bytes: must be a single value, not a list or a mapping"},
    };
    REFUSAL_APPLY_ALL(CHANGES);
}

static void test_lists_that_hold_themselves(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "introspectd.yaml", "&x\nlisten: [*x]\nissuers: [*x]\nclients: [*x]\n");
    refusal_assert(fixture, ":2: listen[0].listen: unknown key");
    fixture_write(fixture, "introspectd.yaml", "listen: &x [*x]\nissuers: *x\nclients: *x\n");
    refusal_assert(fixture, ":1: listen[0]: must be a mapping");
}

/* Ten to the power of nine if it were expanded. */
static void test_exponential_aliases(void **state)
{
    const fixture_t *fixture = *state;
    fixture_write(fixture, "introspectd.yaml", "clients: &i [*h,*h,*h,*h,*h,*h,*h,*h,*h,*h]\n");
    refusal_assert(fixture, ":1: found undefined alias");
    refusal_apply(
        fixture, &(refusal_t){"[https://channels.example.com]",
                              "\n      - &a [x,x,x,x,x,x,x,x,x,x]\n"
                              "      - &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                              "      - &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                              "      - &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                              "      - &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                              "      - &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                              "      - &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
                              "      - &h [*g,*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"
                              "      - [*h,*h,*h,*h,*h,*h,*h,*h,*h,*h]\n",
                              ":8: issuers[0].audience[0]: must be a single value, not a list or a mapping"});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_structure),
        FIXTURE_TEST(test_document),
        FIXTURE_TEST(test_file),
        cmocka_unit_test(test_name_is_told_as_given),
        cmocka_unit_test(test_long_name),
        FIXTURE_TEST(test_empty_lists),
        FIXTURE_TEST(test_aliases),
        FIXTURE_TEST(test_lists_that_hold_themselves),
        FIXTURE_TEST(test_exponential_aliases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
