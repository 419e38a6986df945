#include "introspectd/cpu_quota.h"

#include "introspectd/file.h"

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 64 * 1024, MASK_MAX_CPUS = 1 << 16 };

static unsigned affinity_threads(void)
{
    long online;

    /* The kernel refuses a mask that is smaller than its own, and does not say how large that is. */
    for (unsigned cpus = 1024; cpus <= MASK_MAX_CPUS; cpus *= 2) {
        cpu_set_t *mask = CPU_ALLOC(cpus);
        size_t size = CPU_ALLOC_SIZE(cpus);
        int count = 0;

        if (mask == NULL)
            break;
        if (sched_getaffinity(0, size, mask) == 0)
            count = CPU_COUNT_S(size, mask);
        CPU_FREE(mask);
        if (count > 0)
            return (unsigned)count;
    }
    online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

/* The file's text, or NULL; free with free(). */
static char *read_text(const char *path)
{
    char *text;
    size_t len;

    return file_read(path, FILE_MAX_BYTES, &text, &len) == 0 ? text : NULL;
}

/* The quotient rounded up; UINT_MAX when either number sets no limit ("max" in v2, -1 in v1). */
static unsigned quota_threads(long long quota_us, long long period_us)
{
    long long threads;

    if (quota_us <= 0 || period_us <= 0)
        return UINT_MAX;
    threads = quota_us / period_us + (quota_us % period_us != 0);
    return threads < UINT_MAX ? (unsigned)threads : UINT_MAX;
}

static long long read_number(const char *folder, const char *file)
{
    char path[PATH_MAX];
    char *text;
    long long number;

    if (snprintf(path, sizeof path, "%s/%s", folder, file) >= (int)sizeof path)
        return 0;
    text = read_text(path);
    number = text == NULL ? 0 : strtoll(text, NULL, 10);
    free(text);
    return number;
}

static unsigned v1_threads(const char *folder)
{
    return quota_threads(read_number(folder, "cpu.cfs_quota_us"), read_number(folder, "cpu.cfs_period_us"));
}

/* cpu.max is "QUOTA PERIOD", or "max PERIOD" for none: strtoll makes that 0. */
static unsigned v2_threads(const char *folder)
{
    char path[PATH_MAX];
    char *text;
    char *rest;
    long long quota_us;
    unsigned threads;

    if (snprintf(path, sizeof path, "%s/cpu.max", folder) >= (int)sizeof path)
        return UINT_MAX;
    text = read_text(path);
    if (text == NULL)
        return UINT_MAX;
    quota_us = strtoll(text, &rest, 10);
    threads = quota_threads(quota_us, strtoll(rest, NULL, 10));
    free(text);
    return threads;
}

/*
 * The tightest limit of the cgroup at mount + group and of all above it. A container that has no cgroup
 * namespace sees the path that it has on its host, which its own mount lacks: what is missing sets no limit,
 * and the walk still ends at the mount, which is then the container's own group.
 */
static unsigned tightest_threads(const char *mount, const char *group, unsigned (*threads_at)(const char *))
{
    char folder[PATH_MAX];
    size_t mount_len = strlen(mount);
    unsigned tightest = UINT_MAX;

    /* A group outside the namespace's root is shown as "/..": its limits cannot be read from here. */
    if (group[0] != '/' || strstr(group, "/..") != NULL || strcmp(group, "/") == 0)
        group = "";
    if (snprintf(folder, sizeof folder, "%s%s", mount, group) >= (int)sizeof folder)
        return UINT_MAX;
    for (;;) {
        unsigned threads = threads_at(folder);
        char *last;

        if (threads < tightest)
            tightest = threads;
        last = strrchr(folder, '/');
        if (strlen(folder) <= mount_len || last == NULL)
            return tightest;
        *last = '\0';
    }
}

/* Whether the comma-separated list of controllers names cpu. */
static bool has_cpu(const char *controllers)
{
    for (const char *at = controllers; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == ',' || at[3] == '\0'))
            return true;
    }
    return false;
}

/* One line of /proc/self/cgroup, which is taken apart: "ID:CONTROLLERS:PATH", for v2 "0::PATH". */
static unsigned line_threads(char *line, const char *cgroup_root)
{
    char mount[PATH_MAX];
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');

    if (group == NULL)
        return UINT_MAX;
    *controllers++ = '\0';
    *group++ = '\0';
    if (*controllers == '\0')
        return tightest_threads(cgroup_root, group, v2_threads);
    if (!has_cpu(controllers))
        return UINT_MAX;
    /* Mounted under its list of controllers, to which most systems add a link named cpu. */
    if (snprintf(mount, sizeof mount, "%s/%s", cgroup_root, controllers) >= (int)sizeof mount)
        return UINT_MAX;
    if (access(mount, F_OK) != 0 && snprintf(mount, sizeof mount, "%s/cpu", cgroup_root) >= (int)sizeof mount)
        return UINT_MAX;
    return tightest_threads(mount, group, v1_threads);
}

unsigned cpu_quota_threads(const char *proc_root, const char *sysfs_cgroup_root)
{
    unsigned threads = affinity_threads();
    char path[PATH_MAX];
    char *text;
    char *position;

    if (snprintf(path, sizeof path, "%s/self/cgroup", proc_root) >= (int)sizeof path)
        return threads;
    text = read_text(path);
    if (text == NULL)
        return threads;
    for (char *line = strtok_r(text, "\n", &position); line != NULL; line = strtok_r(NULL, "\n", &position)) {
        unsigned quota = line_threads(line, sysfs_cgroup_root);
        if (quota < threads)
            threads = quota;
    }
    free(text);
    return threads;
}
