#include "bodies.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct frame {
    const char *before;
    const char *after;
} frame_t;

static const frame_t FORM = {"token=", ""};
static const frame_t JSON = {"{\"token\":\"", "\"}"};

static const frame_t *frame_of(const bodies_t *bodies)
{
    return bodies->settings.is_json ? &JSON : &FORM;
}

static const char *map_file(bodies_t *bodies)
{
    struct stat status;
    int fd = open(bodies->settings.file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0)
        return "the tokens cannot be read";
    bodies->lines_size = (size_t)status.st_size;
    bodies->lines = mmap(NULL, bodies->lines_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
    close(fd);
    return bodies->lines == MAP_FAILED ? "the tokens cannot be mapped" : NULL;
}

static const char *find_lines(bodies_t *bodies)
{
    size_t size = bodies->lines_size;
    const char *end = memchr(bodies->lines, '\n', size);
    bodies->token_len = end == NULL ? 0 : (size_t)(end - bodies->lines);
    if (bodies->token_len == 0 || size % (bodies->token_len + 1) != 0)
        return "the tokens are not one a line, all of one length";
    size_t count = size / (bodies->token_len + 1);
    if (bodies->settings.pool == 0)
        bodies->settings.pool = count;
    return bodies->settings.pool > count ? "the pool is larger than the file" : NULL;
}

static const char *cumulate(bodies_t *bodies)
{
    size_t pool = bodies->settings.pool;
    bodies->cumulated = malloc(pool * sizeof(double));
    if (bodies->cumulated == NULL)
        return "out of memory";
    double sum = 0;
    for (size_t i = 0; i < pool; i++)
        bodies->cumulated[i] = sum += pow((double)(i + 1), -bodies->settings.exponent);
    for (size_t i = 0; i < pool; i++)
        bodies->cumulated[i] /= sum;
    return NULL;
}

const char *bodies_init(bodies_t *bodies, const bodies_settings_t *settings)
{
    *bodies = (bodies_t){.settings = *settings, .random = settings->seed};
    const char *problem = map_file(bodies);
    if (problem == NULL)
        problem = find_lines(bodies);
    if (problem == NULL && settings->choice == BODIES_ZIPF)
        problem = cumulate(bodies);
    if (problem != NULL)
        return problem;
    bodies->next = settings->offset % bodies->settings.pool;
    bodies->len = strlen(frame_of(bodies)->before) + bodies->token_len + strlen(frame_of(bodies)->after);
    return NULL;
}

void bodies_deinit(bodies_t *bodies)
{
    free(bodies->cumulated);
    munmap(bodies->lines, bodies->lines_size);
}

/* splitmix64: good enough to choose by, and the same on every machine. */
static uint64_t next_random(bodies_t *bodies)
{
    uint64_t z = bodies->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* From 0 to below 1. */
static double next_fraction(bodies_t *bodies)
{
    return (double)(next_random(bodies) >> 11) * 0x1p-53;
}

static size_t choose_zipf(bodies_t *bodies)
{
    double fraction = next_fraction(bodies);
    size_t low = 0;
    size_t high = bodies->settings.pool - 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (bodies->cumulated[middle] > fraction)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static size_t choose(bodies_t *bodies)
{
    if (bodies->settings.choice == BODIES_UNIFORM)
        return (size_t)(next_fraction(bodies) * (double)bodies->settings.pool);
    if (bodies->settings.choice == BODIES_ZIPF)
        return choose_zipf(bodies);
    size_t chosen = bodies->next++;
    if (bodies->next == bodies->settings.pool)
        bodies->next = 0;
    return chosen;
}

void bodies_write_next(bodies_t *bodies, char *out)
{
    const frame_t *frame = frame_of(bodies);
    size_t before = strlen(frame->before);
    memcpy(out, frame->before, before);
    memcpy(out + before, bodies->lines + choose(bodies) * (bodies->token_len + 1), bodies->token_len);
    memcpy(out + before + bodies->token_len, frame->after, strlen(frame->after));
}
