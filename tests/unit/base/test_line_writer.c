#include "introspectd/line_writer.h"

#include "failing_alloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PLENTY_BYTES = 1 << 20,
    /* Far beyond what anything here takes. */
    LONG_MS = 30000,
    SHORT_MS = 50,
    THREADS = 4
};

static _Atomic uint64_t lost;
static _Atomic int told[LINE_WRITER_LOST + 1];
static _Atomic int last_error;

static void note_event(void *data, line_writer_event_t event, int error)
{
    assert_ptr_equal(data, &lost);
    atomic_fetch_add(&told[event], 1);
    if (error != 0)
        atomic_store(&last_error, error);
}

static void forget(void)
{
    atomic_store(&lost, 0);
    atomic_store(&last_error, 0);
    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
        atomic_store(&told[i], 0);
}

static line_writer_t *start(int fd, const char *path, size_t max_bytes, int gather_ms)
{
    line_writer_settings_t settings = {.name = "lines-of-a-test",
                                       .fd = fd,
                                       .path = path,
                                       .max_bytes = max_bytes,
                                       .gather_ms = gather_ms,
                                       .lost = &lost,
                                       .on_event = note_event,
                                       .data = &lost};
    forget();
    line_writer_t *writer = line_writer_new(&settings);
    assert_non_null(writer);
    return writer;
}

static bool push(line_writer_t *writer, const char *text)
{
    return line_writer_push(writer, slice_of(text));
}

/* A directory with one log in it. */
typedef struct place {
    char directory[64];
    char path[96];
    char old_path[96];
} place_t;

static int set_up(void **state)
{
    place_t *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    snprintf(place->directory, sizeof(place->directory), "/tmp/introspectd-lines-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    snprintf(place->path, sizeof(place->path), "%s/log", place->directory);
    snprintf(place->old_path, sizeof(place->old_path), "%s/log.1", place->directory);
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    place_t *place = *state;
    unlink(place->path);
    unlink(place->old_path);
    rmdir(place->directory);
    free(place);
    return 0;
}

/* NUL-terminated; the caller frees it. */
static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0;
    if (file == NULL)
        return strdup("");
    if (getdelim(&text, &size, '\0', file) < 0) {
        free(text);
        text = strdup("");
    }
    fclose(file);
    assert_non_null(text);
    return text;
}

static void assert_holds(const char *path, const char *expected)
{
    char *text = read_whole(path);
    assert_string_equal(text, expected);
    free(text);
}

static void test_lines_are_written_in_order(void **state)
{
    const place_t *place = *state;
    line_writer_t *writer = start(line_writer_open(place->path), place->path, PLENTY_BYTES, 0);
    assert_true(push(writer, "one\n"));
    assert_true(push(writer, "two\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_holds(place->path, "one\ntwo\n");
    assert_true(push(writer, "three\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->path, "one\ntwo\nthree\n");
    assert_int_equal(lost, 0);

    writer = start(line_writer_open(place->path), place->path, PLENTY_BYTES, 0);
    assert_true(push(writer, "four\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->path, "one\ntwo\nthree\nfour\n");
}

static void test_file_is_not_for_everybody(void **state)
{
    const place_t *place = *state;
    struct stat status;
    mode_t mask = umask(0);
    int fd = line_writer_open(place->path);
    umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    close(fd);
}

/* An hour would be too long for any test. */
static void test_gathering_is_cut_short(void **state)
{
    const place_t *place = *state;
    enum { AN_HOUR_MS = 3600 * 1000, MAX_BYTES = 40 };
    line_writer_t *writer = start(line_writer_open(place->path), place->path, MAX_BYTES, AN_HOUR_MS);
    assert_true(push(writer, "flushed\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_holds(place->path, "flushed\n");
    /* Over half of the room is taken. */
    assert_true(push(writer, "as soon as there are many\n"));
    struct stat status = {0};
    while (status.st_size < 34)
        assert_int_equal(stat(place->path, &status), 0);
    assert_true(push(writer, "reopened\n"));
    line_writer_reopen(writer);
    while (told[LINE_WRITER_REOPENED] == 0)
        usleep(1000);
    assert_true(push(writer, "ended\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->path, "flushed\nas soon as there are many\nreopened\nended\n");
}

static void test_many_lines_are_one_write(void **state)
{
    (void)state;
    enum { AN_HOUR_MS = 3600 * 1000, LINES = 100 };
    int ends[2];
    char bytes[4096];
    /* A packet a write. */
    assert_int_equal(pipe2(ends, O_DIRECT | O_CLOEXEC), 0);
    line_writer_t *writer = start(ends[1], NULL, PLENTY_BYTES, AN_HOUR_MS);
    for (int i = 0; i < LINES; i++)
        assert_true(push(writer, "a line\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_int_equal(read(ends[0], bytes, sizeof(bytes)), LINES * 7);
    close(ends[0]);
    close(ends[1]);
}

static void test_full_queue_drops_and_never_waits(void **state)
{
    const place_t *place = *state;
    enum { MAX_BYTES = 1000, LINE = 10 };
    assert_int_equal(mkfifo(place->path, 0600), 0);
    int reader = open(place->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    line_writer_t *writer = start(line_writer_open(place->path), place->path, MAX_BYTES, 0);
    char line[32];
    unsigned taken = 0;
    /* Nobody reads: whoever waited for that would wait for ever. */
    for (unsigned i = 0; told[LINE_WRITER_FULL] == 0; i++) {
        snprintf(line, sizeof(line), "%09u\n", i % 1000000000);
        taken += push(writer, line);
    }
    assert_int_equal(lost, 0);
    assert_false(line_writer_flush(writer, SHORT_MS));

    char bytes[4096];
    unsigned arrived = 0;
    int last = -1;
    while (arrived < taken) {
        ssize_t got = read(reader, bytes, sizeof(bytes) / LINE * LINE);
        assert_true(got > 0 || (got == -1 && errno == EAGAIN));
        for (ssize_t at = 0; at < got; at += LINE) {
            assert_int_equal(bytes[at + LINE - 1], '\n');
            int number = atoi(bytes + at);
            assert_true(number > last);
            last = number;
            arrived++;
        }
    }
    assert_true(line_writer_flush(writer, LONG_MS));
    while (told[LINE_WRITER_LOST] == 0)
        usleep(1000);
    assert_true(push(writer, "there is room again\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_int_equal(lost, 0);
    close(reader);
}

static void test_line_beyond_all_room(void **state)
{
    const place_t *place = *state;
    line_writer_t *writer = start(line_writer_open(place->path), place->path, 8, 0);
    assert_false(push(writer, "123456789"));
    assert_true(push(writer, "1234567\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->path, "1234567\n");
}

/* What is left when the time is over is lost; what went out is not. Of a write that hangs nobody can say
 * that. */
static void assert_end_does_not_hang(int pipe_flags)
{
    enum { LINE = 16, LINES = 20000 };
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | pipe_flags), 0);
    line_writer_t *writer = start(ends[1], NULL, PLENTY_BYTES, 0);
    for (int i = 0; i < LINES; i++)
        assert_true(push(writer, "fifteen letters\n"));
    assert_false(line_writer_end(writer, SHORT_MS));
    uint64_t lost_then = lost;
    assert_true(lost_then > 0 && lost_then <= LINES);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    if (pipe_flags == O_NONBLOCK) {
        char bytes[4096];
        ssize_t got;
        ssize_t total = 0;
        while ((got = read(ends[0], bytes, sizeof(bytes))) > 0)
            total += got;
        assert_int_equal(total / LINE + (ssize_t)lost_then, LINES);
    }
    /* A thread that hangs comes back, and finds itself alone. What it writes to is still its own. */
    close(ends[0]);
    assert_int_equal(lost, lost_then);
    assert_int_equal(told[LINE_WRITER_WRITE_FAILED], 0);
}

static void test_end_does_not_hang(void **state)
{
    (void)state;
    assert_end_does_not_hang(O_NONBLOCK);
    assert_end_does_not_hang(0);
}

static void test_full_disk(void **state)
{
    (void)state;
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    line_writer_t *writer = start(fd, NULL, PLENTY_BYTES, 0);
    for (int i = 0; i < 100; i++)
        assert_true(push(writer, "a line\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_int_equal(lost, 100);
    assert_true(told[LINE_WRITER_WRITE_FAILED] > 0);
    assert_int_equal(last_error, ENOSPC);
    close(fd);
}

static void set_file_limit(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The limit's signal would end the process. */
static void test_disk_that_fills_up_within_a_line(void **state)
{
    const place_t *place = *state;
    line_writer_t *writer = start(line_writer_open(place->path), place->path, PLENTY_BYTES, 0);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    set_file_limit(12);
    assert_true(push(writer, "whole line\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_true(push(writer, "cut line\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_true(push(writer, "lost line\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(push(writer, "next line\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->path, "whole line\nc\nnext line\n");
    assert_int_equal(lost, 2);
    assert_int_equal(last_error, EFBIG);
}

static void test_reader_that_goes(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    line_writer_t *writer = start(ends[1], NULL, PLENTY_BYTES, 0);
    close(ends[0]);
    assert_true(push(writer, "unheard\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_int_equal(lost, 1);
    assert_int_equal(last_error, EPIPE);
    close(ends[1]);
}

static void test_reopening(void **state)
{
    const place_t *place = *state;
    line_writer_t *writer = start(line_writer_open(place->path), place->path, PLENTY_BYTES, 0);
    assert_true(push(writer, "old\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    assert_int_equal(rename(place->path, place->old_path), 0);
    assert_true(push(writer, "still old\n"));
    assert_true(line_writer_flush(writer, LONG_MS));
    line_writer_reopen(writer);
    while (told[LINE_WRITER_REOPENED] == 0)
        usleep(1000);
    assert_true(push(writer, "new\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->old_path, "old\nstill old\n");
    assert_holds(place->path, "new\n");
}

static void test_reopening_that_fails(void **state)
{
    const place_t *place = *state;
    line_writer_t *writer = start(line_writer_open(place->path), place->path, PLENTY_BYTES, 0);
    assert_int_equal(rename(place->path, place->old_path), 0);
    assert_int_equal(mkdir(place->path, 0700), 0);
    line_writer_reopen(writer);
    while (told[LINE_WRITER_REOPEN_FAILED] == 0)
        usleep(1000);
    assert_int_equal(last_error, EISDIR);
    assert_true(push(writer, "still old\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_holds(place->old_path, "still old\n");
    assert_int_equal(rmdir(place->path), 0);
}

static void test_reopening_without_a_path(void **state)
{
    const place_t *place = *state;
    int fd = line_writer_open(place->path);
    line_writer_t *writer = start(fd, NULL, PLENTY_BYTES, 0);
    line_writer_reopen(writer);
    assert_true(push(writer, "a line\n"));
    assert_true(line_writer_end(writer, LONG_MS));
    assert_int_equal(told[LINE_WRITER_REOPENED], 0);
    assert_holds(place->path, "a line\n");
    /* It was borrowed. */
    assert_int_equal(close(fd), 0);
}

enum { LINES_A_THREAD = 20000, ROTATIONS = 50 };

typedef struct pusher {
    line_writer_t *writer;
    int number;
} pusher_t;

static void *push_many(void *data)
{
    const pusher_t *pusher = data;
    char line[64];
    for (int i = 0; i < LINES_A_THREAD; i++) {
        snprintf(line, sizeof(line), "thread %d line %d%.*s\n", pusher->number, i, i % 20,
                 "....................");
        while (!push(pusher->writer, line))
            usleep(100);
    }
    return NULL;
}

/* Looks at one file after the other: every thread's lines are whole and go on where they were. */
static void follow(const char *path, int next[THREADS])
{
    char *text = read_whole(path);
    size_t len = strlen(text);
    char *position;
    assert_true(len == 0 || text[len - 1] == '\n');
    for (char *line = strtok_r(text, "\n", &position); line != NULL; line = strtok_r(NULL, "\n", &position)) {
        int thread = -1;
        int number = -1;
        int end = 0;
        assert_int_equal(sscanf(line, "thread %d line %d%n", &thread, &number, &end), 2);
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(number, next[thread]);
        assert_int_equal(strspn(line + end, "."), number % 20);
        assert_int_equal(line[end + number % 20], '\0');
        next[thread]++;
    }
    free(text);
}

/* Files are renamed and opened anew all the time; no line is lost, cut, doubled, or out of its thread's
 * order. */
static void test_rotation_under_load(void **state)
{
    const place_t *place = *state;
    enum { SMALL_BYTES = 4000 };
    line_writer_t *writer = start(line_writer_open(place->path), place->path, SMALL_BYTES, 1);
    pthread_t threads[THREADS];
    pusher_t pushers[THREADS];
    int next[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        pushers[i] = (pusher_t){writer, i};
        assert_int_equal(pthread_create(&threads[i], NULL, push_many, &pushers[i]), 0);
    }
    for (int i = 1; i <= ROTATIONS; i++) {
        usleep(1000);
        assert_int_equal(rename(place->path, place->old_path), 0);
        line_writer_reopen(writer);
        while (told[LINE_WRITER_REOPENED] < i)
            usleep(100);
        follow(place->old_path, next);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(line_writer_end(writer, LONG_MS));
    follow(place->path, next);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(next[i], LINES_A_THREAD);
    assert_int_equal(lost, 0);
}

/* The blocked signals of the thread with that name, as the system says it. */
static unsigned long long signals_blocked_in(const char *name)
{
    unsigned long long blocked = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        char path[320];
        char line[128];
        bool is_it = false;
        snprintf(path, sizeof(path), "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "r");
        while (status != NULL && fgets(line, sizeof(line), status) != NULL) {
            if (strncmp(line, "Name:\t", 6) == 0)
                is_it = strncmp(line + 6, name, strlen(name)) == 0;
            if (is_it && strncmp(line, "SigBlk:\t", 8) == 0)
                blocked = strtoull(line + 8, NULL, 16);
        }
        if (status != NULL)
            fclose(status);
    }
    closedir(tasks);
    return blocked;
}

static void test_signals_are_for_other_threads(void **state)
{
    (void)state;
    line_writer_t *writer = start(STDERR_FILENO, NULL, PLENTY_BYTES, 0);
    /* The name is there once the thread has begun. */
    unsigned long long blocked;
    while ((blocked = signals_blocked_in("lines-of-a-test")) == 0)
        usleep(1000);
    for (int number = 1; number < 32; number++) {
        if (number != SIGKILL && number != SIGSTOP)
            assert_true(blocked >> (number - 1) & 1);
    }
    assert_true(line_writer_end(writer, LONG_MS));
}

static void test_without_memory(void **state)
{
    const place_t *place = *state;
    line_writer_settings_t settings = {.name = "x", .path = place->path, .max_bytes = 100, .lost = &lost};
    settings.fd = line_writer_open(place->path);
    assert_true(settings.fd >= 0);
    line_writer_t *writer = NULL;
    unsigned passing = 0;
    for (; writer == NULL; passing++) {
        failing_alloc_arm(passing);
        writer = line_writer_new(&settings);
        assert_int_equal(failing_alloc_disarm(), writer == NULL);
        /* It is still the caller's. */
        assert_int_equal(fcntl(settings.fd, F_GETFD), FD_CLOEXEC);
    }
    assert_true(passing > 3);
    assert_true(line_writer_end(writer, LONG_MS));
    assert_int_equal(fcntl(settings.fd, F_GETFD), -1);
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLACE_TEST(test_lines_are_written_in_order),
        PLACE_TEST(test_file_is_not_for_everybody),
        PLACE_TEST(test_gathering_is_cut_short),
        cmocka_unit_test(test_many_lines_are_one_write),
        PLACE_TEST(test_full_queue_drops_and_never_waits),
        PLACE_TEST(test_line_beyond_all_room),
        cmocka_unit_test(test_end_does_not_hang),
        cmocka_unit_test(test_full_disk),
        PLACE_TEST(test_disk_that_fills_up_within_a_line),
        cmocka_unit_test(test_reader_that_goes),
        PLACE_TEST(test_reopening),
        PLACE_TEST(test_reopening_that_fails),
        PLACE_TEST(test_reopening_without_a_path),
        PLACE_TEST(test_rotation_under_load),
        cmocka_unit_test(test_signals_are_for_other_threads),
        PLACE_TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
