#include "introspectd/process_stats.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static process_stats_t read_stats(void)
{
    process_stats_t stats;
    assert_true(process_stats_read(&stats));
    return stats;
}

static void descriptors_are_counted(void **state)
{
    (void)state;
    uint64_t before = read_stats().open_fds;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(read_stats().open_fds, before + 2);
    close(fds[0]);
    close(fds[1]);
    assert_int_equal(read_stats().open_fds, before);
}

static void the_limit_is_the_soft_one(void **state)
{
    (void)state;
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit lower = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lower), 0);
    assert_int_equal(read_stats().max_fds, 100);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void processor_time_and_memory_grow_with_use(void **state)
{
    (void)state;
    process_stats_t before = read_stats();
    enum { SIZE = 32 << 20, PAGE = 4096 };
    volatile char *memory = malloc(SIZE);
    assert_non_null(memory);
    for (size_t i = 0; i < SIZE; i += PAGE)
        memory[i] = 1;
    struct timespec used;
    do
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    while ((double)used.tv_sec + (double)used.tv_nsec / 1e9 < before.cpu_s + 0.1);
    process_stats_t after = read_stats();
    assert_true(after.cpu_s >= before.cpu_s + 0.05);
    assert_true(after.resident_bytes >= before.resident_bytes + SIZE / 2);
    assert_true(after.virtual_bytes >= after.resident_bytes);
    assert_true(after.threads >= 1);
    free((char *)memory);
}

static void the_start_is_a_moment_ago_and_stays(void **state)
{
    (void)state;
    double now_s = (double)time(NULL);
    double start_s = read_stats().start_time_s;
    assert_true(start_s <= now_s + 2 && start_s >= now_s - 3600);
    assert_true(read_stats().start_time_s == start_s);
}

static void a_name_with_parentheses_does_not_confuse(void **state)
{
    (void)state;
    uint64_t threads = read_stats().threads;
    assert_int_equal(prctl(PR_SET_NAME, "a) R 1 (b", 0, 0, 0), 0);
    assert_int_equal(read_stats().threads, threads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_counted),
        cmocka_unit_test(the_limit_is_the_soft_one),
        cmocka_unit_test(processor_time_and_memory_grow_with_use),
        cmocka_unit_test(the_start_is_a_moment_ago_and_stays),
        cmocka_unit_test(a_name_with_parentheses_does_not_confuse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
