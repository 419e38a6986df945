#include "introspectd/process_stats.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of /proc/self/stat, proc(5), counted from the field behind the command's name. */
enum { UTIME = 11, STIME = 12, NUM_THREADS = 17, START_TIME = 19, VSIZE = 20, RSS = 21, STAT_FIELDS = 22 };

static bool read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t len = fread(text, 1, size - 1, file);
    text[len] = '\0';
    fclose(file);
    return len > 0;
}

static bool read_stat(uint64_t *fields)
{
    char text[1024];
    if (!read_text("/proc/self/stat", text, sizeof(text)))
        return false;
    /* The command's name is in parentheses, and may hold some. */
    char *rest = strrchr(text, ')');
    if (rest == NULL)
        return false;
    char *state = NULL;
    char *field = strtok_r(rest + 1, " ", &state);
    for (size_t i = 0; i < STAT_FIELDS; i++) {
        if (field == NULL)
            return false;
        fields[i] = strtoull(field, NULL, 10);
        field = strtok_r(NULL, " ", &state);
    }
    return true;
}

static uint64_t boot_time_s; /* 0: unknown */
static pthread_once_t boot_time_is_read = PTHREAD_ONCE_INIT;

/* Once: where there are many processors the file costs the kernel milliseconds. */
static void read_boot_time(void)
{
    static const char NAME[] = "btime ";
    char line[256];
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return;
    while (boot_time_s == 0 && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, NAME, sizeof(NAME) - 1) == 0)
            boot_time_s = strtoull(line + sizeof(NAME) - 1, NULL, 10);
    }
    fclose(file);
}

static uint64_t count_open_fds(void)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (directory == NULL)
        return 0;
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count - 1; /* the directory's own */
}

static uint64_t max_open_fds(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_cur;
}

bool process_stats_read(process_stats_t *stats)
{
    uint64_t fields[STAT_FIELDS];
    double ticks_a_second = (double)sysconf(_SC_CLK_TCK);
    if (!read_stat(fields) || ticks_a_second <= 0)
        return false;
    pthread_once(&boot_time_is_read, read_boot_time);
    double since_boot_s = (double)fields[START_TIME] / ticks_a_second;
    *stats = (process_stats_t){
        .cpu_s = (double)(fields[UTIME] + fields[STIME]) / ticks_a_second,
        .start_time_s = boot_time_s == 0 ? 0 : (double)boot_time_s + since_boot_s,
        .resident_bytes = fields[RSS] * (uint64_t)sysconf(_SC_PAGESIZE),
        .virtual_bytes = fields[VSIZE],
        .threads = fields[NUM_THREADS],
        .open_fds = count_open_fds(),
        .max_fds = max_open_fds(),
    };
    return true;
}
