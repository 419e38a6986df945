#include "config_refusal.h"

static config_t *load(const fixture_t *fixture, const char *yaml)
{
    char whole[4096];
    snprintf(whole, sizeof(whole), "%s%s", yaml, REFUSAL_BASE);
    return fixture_load(fixture, whole);
}

static void assert_file(const fixture_t *fixture, const char *yaml, const char *expected)
{
    config_t *config = load(fixture, yaml);
    assert_int_equal(config->access_log.target, CONFIG_LOG_FILE);
    assert_string_equal(config->access_log.file, expected);
    config_free(config);
}

static void test_off_by_default(void **state)
{
    config_t *config = load(*state, "");
    assert_int_equal(config->access_log.target, CONFIG_LOG_OFF);
    assert_null(config->access_log.file);
    config_free(config);
}

static void test_defaults(void **state)
{
    config_t *config = load(*state, "\naccess_log:\n  file: stderr\n");
    assert_int_equal(config->access_log.target, CONFIG_LOG_STDERR);
    assert_null(config->access_log.file);
    assert_int_equal(config->access_log.sample, 1);
    assert_int_equal(config->access_log.max_per_second, 1000);
    assert_int_equal(config->access_log.line, 3);
    config_free(config);
}

static void test_every_member(void **state)
{
    config_t *config =
        load(*state, "access_log: { file: stdout, sample: 1000000, max_per_second: 1000000 }\n");
    assert_int_equal(config->access_log.target, CONFIG_LOG_STDOUT);
    assert_int_equal(config->access_log.sample, 1000000);
    assert_int_equal(config->access_log.max_per_second, 1000000);
    config_free(config);
}

static void test_files(void **state)
{
    const fixture_t *fixture = *state;
    char path[256];
    assert_file(fixture, "access_log: { file: /var/log/access.log }\n", "/var/log/access.log");
    snprintf(path, sizeof(path), "%s/logs/access.log", fixture->directory);
    assert_file(fixture, "access_log: { file: logs/access.log }\n", path);
    snprintf(path, sizeof(path), "%s/stderr", fixture->directory);
    assert_file(fixture, "access_log: { file: 'stderr' }\n", path);
    /* It is not opened, and so not created, when a config is looked at. */
    assert_int_not_equal(access(path, F_OK), 0);
}

static void test_refusals(void **state)
{
    static const refusal_t REFUSALS[] = {
        {"", "access_log: true\n", ":12: access_log: must be a mapping*"},
        {"", "access_log: {}\n", ":12: access_log.file: missing"},
        {"", "access_log: { sample: 2 }\n", ":12: access_log.file: missing"},
        {"", "access_log: { file: }\n", ":12: access_log.file: must have a value"},
        {"", "access_log: { file: '' }\n", ":12: access_log.file: must not be empty"},
        {"", "access_log: { file: [a] }\n",
         ":12: access_log.file: must be a single value, not a list or a mapping"},
        {"", "access_log: { file: \"a\\nb\" }\n", ":12: access_log.file: *"},
        {"", "access_log: { file: a, sample: 0 }\n",
         ":12: access_log.sample: must be an integer from 1 to 1000000, not \"0\""},
        {"", "access_log: { file: a, sample: 1000001 }\n",
         ":12: access_log.sample: must be an integer from 1 to 1000000, not \"1000001\""},
        {"", "access_log: { file: a, max_per_second: 0 }\n",
         ":12: access_log.max_per_second: must be an integer from 1 to 1000000, not \"0\""},
        {"", "access_log: { file: a, rate: 5 }\n", ":12: access_log.rate: *"},
    };
    REFUSAL_APPLY_ALL(REFUSALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_off_by_default), FIXTURE_TEST(test_defaults), FIXTURE_TEST(test_every_member),
        FIXTURE_TEST(test_files),          FIXTURE_TEST(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
