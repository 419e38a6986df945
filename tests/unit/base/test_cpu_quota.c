#include "introspectd/cpu_quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX / 4];
static char proc_root[PATH_MAX / 2];
static char cgroup_root[PATH_MAX / 2];
static unsigned cpus;
static size_t kernel_mask_size;

/* The linker dictates the name. NOLINTNEXTLINE(bugprone-reserved-identifier) */
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask);

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask)
{
    assert_int_equal(pid, 0);
    if (size < kernel_mask_size) {
        errno = EINVAL;
        return -1;
    }
    CPU_ZERO_S(size, mask);
    for (unsigned i = 0; i < cpus; i++)
        CPU_SET_S(size * 8 - 1 - i, size, mask);
    return 0;
}

static int make_roots(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/introspectd-cpu-quota-XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    snprintf(proc_root, sizeof proc_root, "%s/proc", root);
    snprintf(cgroup_root, sizeof cgroup_root, "%s/cgroup", root);
    cpus = 8;
    kernel_mask_size = 128;
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

static int remove_roots(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes a file below base, and the folders that lead to it. */
static void write_file(const char *base, const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%s%s", base, name);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static unsigned threads(void)
{
    return cpu_quota_threads(proc_root, cgroup_root);
}

static unsigned threads_with_v2(const char *cpu_max)
{
    write_file(proc_root, "/self/cgroup", "0::/\n");
    write_file(cgroup_root, "/cpu.max", cpu_max);
    return threads();
}

static unsigned threads_with_v1(const char *quota_us, const char *period_us)
{
    write_file(proc_root, "/self/cgroup", "4:memory:/\n3:cpu,cpuacct:/\n");
    write_file(cgroup_root, "/cpu,cpuacct/cpu.cfs_quota_us", quota_us);
    write_file(cgroup_root, "/cpu,cpuacct/cpu.cfs_period_us", period_us);
    return threads();
}

static void without_cgroups_the_affinity_counts(void **state)
{
    (void)state;
    assert_int_equal(threads(), 8);
    cpus = 1;
    assert_int_equal(threads(), 1);
}

static void a_kernel_with_a_larger_mask_is_understood(void **state)
{
    (void)state;
    kernel_mask_size = 1024;
    assert_int_equal(threads(), 8);
}

static void without_an_affinity_the_online_processors_count(void **state)
{
    (void)state;
    kernel_mask_size = SIZE_MAX;
    assert_int_equal(threads(), sysconf(_SC_NPROCESSORS_ONLN));
}

static void v2_quota_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(threads_with_v2("200000 100000\n"), 2);
    assert_int_equal(threads_with_v2("200001 100000\n"), 3);
    assert_int_equal(threads_with_v2("250000 100000\n"), 3);
    assert_int_equal(threads_with_v2("150000 50000\n"), 3);
    assert_int_equal(threads_with_v2("1000 100000\n"), 1);
    assert_int_equal(threads_with_v2("10000000 100000\n"), 8);
}

static void v2_max_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(threads_with_v2("max 100000\n"), 8);
}

static void rubbish_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(threads_with_v2(""), 8);
    assert_int_equal(threads_with_v2("\n"), 8);
    assert_int_equal(threads_with_v2("100000"), 8);
    assert_int_equal(threads_with_v2("100000 0\n"), 8);
    assert_int_equal(threads_with_v2("0 100000\n"), 8);
    assert_int_equal(threads_with_v2("-100000 100000\n"), 8);
    assert_int_equal(threads_with_v2("100000 -1\n"), 8);
    assert_int_equal(threads_with_v2("99999999999999999999999 1\n"), 8);
    assert_int_equal(threads_with_v2("x y\n"), 8);
}

static void v2_tightest_limit_on_the_path_wins(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "0::/kubepods/pod/container\n");
    write_file(cgroup_root, "/kubepods/cpu.max", "600000 100000\n");
    write_file(cgroup_root, "/kubepods/pod/cpu.max", "max 100000\n");
    write_file(cgroup_root, "/kubepods/pod/container/cpu.max", "500000 100000\n");
    assert_int_equal(threads(), 5);
    write_file(cgroup_root, "/kubepods/pod/cpu.max", "300000 100000\n");
    assert_int_equal(threads(), 3);
    write_file(cgroup_root, "/cpu.max", "200000 100000\n");
    assert_int_equal(threads(), 2);
}

static void limits_beside_the_path_do_not_count(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "0::/a/b\n");
    write_file(cgroup_root, "/a/b/cpu.max", "400000 100000\n");
    write_file(cgroup_root, "/a/c/cpu.max", "100000 100000\n");
    write_file(cgroup_root, "/a/b/d/cpu.max", "100000 100000\n");
    write_file(root, "/cpu.max", "100000 100000\n");
    assert_int_equal(threads(), 4);
}

static void a_path_of_the_host_falls_back_to_the_mount(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "0::/system.slice/docker-0123.scope\n");
    write_file(cgroup_root, "/cpu.max", "150000 100000\n");
    assert_int_equal(threads(), 2);
}

static void a_path_above_the_mount_is_not_followed(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "0::/../outside\n");
    write_file(root, "/outside/cpu.max", "100000 100000\n");
    write_file(cgroup_root, "/cpu.max", "500000 100000\n");
    assert_int_equal(threads(), 5);
}

static void v1_quota_rounds_up(void **state)
{
    (void)state;
    assert_int_equal(threads_with_v1("200000\n", "100000\n"), 2);
    assert_int_equal(threads_with_v1("210000\n", "100000\n"), 3);
    assert_int_equal(threads_with_v1("-1\n", "100000\n"), 8);
    assert_int_equal(threads_with_v1("200000\n", "0\n"), 8);
}

static void v1_tightest_limit_on_the_path_wins(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "12:cpuset:/x\n7:cpuacct,cpu:/docker/abc\n1:name=systemd:/y\n");
    write_file(cgroup_root, "/cpuacct,cpu/docker/abc/cpu.cfs_quota_us", "400000\n");
    write_file(cgroup_root, "/cpuacct,cpu/docker/abc/cpu.cfs_period_us", "100000\n");
    write_file(cgroup_root, "/cpuacct,cpu/docker/cpu.cfs_quota_us", "300000\n");
    write_file(cgroup_root, "/cpuacct,cpu/docker/cpu.cfs_period_us", "100000\n");
    write_file(cgroup_root, "/cpuacct,cpu/cpu.cfs_quota_us", "-1\n");
    write_file(cgroup_root, "/cpuacct,cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(threads(), 3);
}

static void v1_mounted_as_cpu_is_found(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "3:cpu,cpuacct:/\n0::/\n");
    write_file(cgroup_root, "/cpu/cpu.cfs_quota_us", "300000\n");
    write_file(cgroup_root, "/cpu/cpu.cfs_period_us", "100000\n");
    assert_int_equal(threads(), 3);
}

static void other_controllers_are_not_taken_for_cpu(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "5:cpuset:/\n4:cpuacct:/\n3:name=cpu:/\n");
    for (size_t i = 0; i < 3; i++) {
        static const char *const mounts[] = {"cpuset", "cpuacct", "name=cpu"};
        char name[64];

        snprintf(name, sizeof name, "/%s/cpu.cfs_quota_us", mounts[i]);
        write_file(cgroup_root, name, "100000\n");
        snprintf(name, sizeof name, "/%s/cpu.cfs_period_us", mounts[i]);
        write_file(cgroup_root, name, "100000\n");
    }
    assert_int_equal(threads(), 8);
}

static void broken_lines_are_skipped(void **state)
{
    (void)state;
    write_file(proc_root, "/self/cgroup", "\n:\n0\n0:\n::\nrubbish\n0::\n0::a\n");
    write_file(cgroup_root, "/cpu.max", "400000 100000\n");
    assert_int_equal(threads(), 4);
    write_file(proc_root, "/self/cgroup", "");
    assert_int_equal(threads(), 8);
}

static void too_long_paths_are_no_limit(void **state)
{
    const size_t size = (size_t)2 * PATH_MAX;
    char *text = malloc(size);
    char *long_root = malloc(size);

    (void)state;
    assert_non_null(text);
    assert_non_null(long_root);
    memset(long_root, '/', size - 1);
    long_root[size - 1] = '\0';
    assert_int_equal(cpu_quota_threads(long_root, cgroup_root), 8);
    write_file(proc_root, "/self/cgroup", "0::/\n3:cpu:/\n");
    assert_int_equal(cpu_quota_threads(proc_root, long_root), 8);

    snprintf(text, size, "0::/%0*d\n", PATH_MAX, 1);
    write_file(proc_root, "/self/cgroup", text);
    assert_int_equal(threads(), 8);
    free(long_root);
    free(text);
}

static void this_system_gives_at_least_one(void **state)
{
    (void)state;
    assert_true(cpu_quota_threads("/proc", "/sys/fs/cgroup") >= 1);
}

#define WITH_ROOTS(test) cmocka_unit_test_setup_teardown(test, make_roots, remove_roots)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOTS(without_cgroups_the_affinity_counts),
        WITH_ROOTS(a_kernel_with_a_larger_mask_is_understood),
        WITH_ROOTS(without_an_affinity_the_online_processors_count),
        WITH_ROOTS(v2_quota_rounds_up),
        WITH_ROOTS(v2_max_is_no_limit),
        WITH_ROOTS(rubbish_is_no_limit),
        WITH_ROOTS(v2_tightest_limit_on_the_path_wins),
        WITH_ROOTS(limits_beside_the_path_do_not_count),
        WITH_ROOTS(a_path_of_the_host_falls_back_to_the_mount),
        WITH_ROOTS(a_path_above_the_mount_is_not_followed),
        WITH_ROOTS(v1_quota_rounds_up),
        WITH_ROOTS(v1_tightest_limit_on_the_path_wins),
        WITH_ROOTS(v1_mounted_as_cpu_is_found),
        WITH_ROOTS(other_controllers_are_not_taken_for_cpu),
        WITH_ROOTS(broken_lines_are_skipped),
        WITH_ROOTS(too_long_paths_are_no_limit),
        WITH_ROOTS(this_system_gives_at_least_one),
    };

    return cmocka_run_group_tests_name("cpu_quota", tests, NULL, NULL);
}
