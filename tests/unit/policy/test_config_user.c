#include "config_fixture.h"

#include <pwd.h>

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

static config_t *load_with_user(const fixture_t *fixture, const char *user)
{
    char yaml[sizeof(MINIMAL) + 64];
    snprintf(yaml, sizeof(yaml), "%suser: %s\n", MINIMAL, user);
    return fixture_load(fixture, yaml);
}

static void test_user_by_number_alone(void **state)
{
    config_t *config = load_with_user(*state, "4294967294");
    assert_true(config->user.is_given);
    assert_null(config->user.name);
    assert_int_equal(config->user.uid, 4294967294);
    assert_int_equal(config->user.gid, 4294967294);
    assert_false(config->user.has_gid);
    config_free(config);
    config = load_with_user(*state, "12345:0");
    assert_int_equal(config->user.uid, 12345);
    assert_true(config->user.has_gid);
    assert_int_equal(config->user.gid, 0);
    config_free(config);
}

/* Of the users that this system has: whichever is not root. */
static void test_user_by_name(void **state)
{
    const struct passwd *entry;
    setpwent();
    while ((entry = getpwent()) != NULL && entry->pw_uid == 0)
        ;
    endpwent();
    if (entry == NULL)
        skip();
    uid_t uid = entry->pw_uid;
    gid_t gid = entry->pw_gid;
    char name[64];
    snprintf(name, sizeof(name), "%s", entry->pw_name);
    config_t *config = load_with_user(*state, name);
    assert_true(config->user.is_given);
    assert_string_equal(config->user.name, name);
    assert_int_equal(config->user.uid, uid);
    assert_true(config->user.has_gid);
    assert_int_equal(config->user.gid, gid);
    config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_user_by_number_alone),
        FIXTURE_TEST(test_user_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
