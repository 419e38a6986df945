#include "descriptors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CONNECTIONS = 16, READING = 2 };

static void test_least(void **state)
{
    (void)state;
    /* The socket, its duplicate, two loops, and at a reload two more sockets. */
    assert_int_equal(descriptors_needed(&DESCRIPTOR_DEMAND_LEAST), 1 + 1 + 2 * 3 + 2 + READING + CONNECTIONS);
}

static void test_each_part(void **state)
{
    (void)state;
    const descriptor_demand_t base = {.threads = 4, .public_listeners = 3, .admin_listeners = 1};
    uint64_t needed = descriptors_needed(&base);
    /* 4 sockets; 3 in each of 4 threads and 1 in the operations thread; 5 loops; all sockets once more;
     * operators. */
    assert_int_equal(needed, 4 + 13 + 15 + (4 + 13) + READING + 36 + CONNECTIONS);

    descriptor_demand_t more = base;
    more.threads++;
    assert_int_equal(descriptors_needed(&more) - needed, 3 + 2 * 3);
    more = base;
    more.public_listeners++;
    assert_int_equal(descriptors_needed(&more) - needed, 2 * (1 + 4));
    more = base;
    more.admin_listeners = 0;
    assert_int_equal(needed - descriptors_needed(&more), 2 * (1 + 1) + 36);
    more = base;
    more.fetched_issuers = 1;
    assert_int_equal(descriptors_needed(&more) - needed, 2 + 6);
    more.log_files = 1;
    assert_int_equal(descriptors_needed(&more) - needed, 2 + 6 + 2);
    more.log_files = 0;
    more.fetched_issuers = 5;
    assert_int_equal(descriptors_needed(&more) - needed, 2 + 5 * 6);
}

static void test_largest(void **state)
{
    (void)state;
    const descriptor_demand_t demand = {.threads = UINT32_MAX, .public_listeners = 1024};
    assert_int_equal(descriptors_needed(&demand), 1024 + (uint64_t)UINT32_MAX * 1024 +
                                                      ((uint64_t)UINT32_MAX + 1) * 3 + 1024 +
                                                      (uint64_t)UINT32_MAX * 1024 + READING + CONNECTIONS);
}

static void set_limit(rlim_t soft, rlim_t hard)
{
    const struct rlimit limit = {soft, hard};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        _exit(100);
}

/* In a process of its own, which may lower its hard limit. */
static void run_apart(int (*run)(void), int expected)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), expected);
}

static int raise_from_below(void)
{
    set_limit(20, 50);
    struct rlimit limit;
    bool is_raised = descriptors_raise_limit() == 50 && getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
                     limit.rlim_cur == 50 && limit.rlim_max == 50;
    return is_raised ? 0 : 1;
}

static void test_raise(void **state)
{
    (void)state;
    run_apart(raise_from_below, 0);
}

/* The bound is exact, and what is open counts wherever it is. */
static int find_bound(void)
{
    char error[DESCRIPTORS_ERROR_SIZE] = "";
    char expected[128];
    const descriptor_demand_t *demand = &DESCRIPTOR_DEMAND_LEAST;
    rlim_t needed = (rlim_t)descriptors_needed(demand);
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    if (dup2(0, 25) != 25)
        return 1;
    set_limit(needed + 4, 100);
    if (!descriptors_suffice(demand, error) || error[0] != '\0')
        return 2;
    set_limit(needed + 3, 100);
    if (descriptors_suffice(demand, error))
        return 3;
    snprintf(expected, sizeof(expected), "(RLIMIT_NOFILE) is %d, at least %d are needed: 4 are open",
             (int)needed + 3, (int)needed + 4);
    return strstr(error, expected) == NULL || strchr(error, '\n') != NULL ? 4 : 0;
}

static void test_bound(void **state)
{
    (void)state;
    run_apart(find_bound, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_least), cmocka_unit_test(test_each_part), cmocka_unit_test(test_largest),
        cmocka_unit_test(test_raise), cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
