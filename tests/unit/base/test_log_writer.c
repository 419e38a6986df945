#include "introspectd/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Each test runs in a process of its own: a log that hangs stays so, and the count of lost lines is the
 * process's.
 */
typedef int scene_t(void);

static void run_apart(scene_t *scene)
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(scene());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define REQUIRE(condition)                                                                                   \
    if (!(condition)) {                                                                                      \
        dprintf(STDOUT_FILENO, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                               \
        return 1;                                                                                            \
    }

/* Standard error becomes a pipe, whose other end is given. */
static int take_standard_error(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0 || dup2(ends[1], STDERR_FILENO) < 0)
        _exit(100);
    close(ends[1]);
    return ends[0];
}

static json_t *next_line(FILE *stream)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t len = getline(&text, &size, stream);
    json_t *line = len > 0 && text[len - 1] == '\n' ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(text);
    return line;
}

static int number_in(json_t *take_line)
{
    int number = json_is_integer(json_object_get(take_line, "n"))
                     ? (int)json_integer_value(json_object_get(take_line, "n"))
                     : -1;
    json_decref(take_line);
    return number;
}

static int lines_stay_in_order(void)
{
    enum { LINES = 300 };
    FILE *stream = fdopen(take_standard_error(), "r");
    REQUIRE(stream != NULL);
    for (int i = 0; i < LINES; i++) {
        if (i == LINES / 3)
            REQUIRE(log_start_writer());
        if (i == LINES * 2 / 3)
            log_stop_writer();
        log_event(LOG_LEVEL_INFO, "numbered", json_pack("{s:i}", "n", i));
    }
    for (int i = 0; i < LINES; i++)
        REQUIRE(number_in(next_line(stream)) == i);
    REQUIRE(log_lost_total() == 0);
    fclose(stream);
    return 0;
}

static void test_lines_stay_in_order(void **state)
{
    (void)state;
    run_apart(lines_stay_in_order);
}

static int flushed_lines_are_out(void)
{
    int fd = take_standard_error();
    FILE *stream = fdopen(fd, "r");
    REQUIRE(stream != NULL && log_start_writer());
    log_flush();
    log_event(LOG_LEVEL_ERROR, "last_words", json_pack("{s:i}", "n", 1));
    log_flush();
    /* Whatever is there is there now. */
    REQUIRE(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    REQUIRE(number_in(next_line(stream)) == 1);
    REQUIRE(log_write_line((slice_t){"{\"n\":2}\n", 8}));
    log_stop_writer();
    clearerr(stream);
    REQUIRE(number_in(next_line(stream)) == 2);
    log_stop_writer();
    log_flush();
    fclose(stream);
    return 0;
}

static void test_flushed_lines_are_out(void **state)
{
    (void)state;
    run_apart(flushed_lines_are_out);
}

enum { THREADS = 4, LINES_A_THREAD = 200, LONG_TEXT = 900 };

static void *log_many(void *data)
{
    char text[LONG_TEXT + 1];
    memset(text, *(const char *)data, LONG_TEXT);
    text[LONG_TEXT] = '\0';
    for (int i = 0; i < LINES_A_THREAD; i++)
        log_event(LOG_LEVEL_INFO, "long", json_pack("{s:s, s:i}", "text", text, "n", i));
    return NULL;
}

typedef struct reading {
    FILE *stream;
    int seen[THREADS];
    long long lost_told;
    bool is_good;
} reading_t;

static void *read_lines(void *data)
{
    reading_t *reading = data;
    json_t *line;
    reading->is_good = true;
    while ((line = next_line(reading->stream)) != NULL) {
        const char *text = json_string_value(json_object_get(line, "text"));
        json_t *lost = json_object_get(line, "lost");
        if (text != NULL && strlen(text) == LONG_TEXT)
            reading->seen[text[0] - 'a']++;
        else if (lost != NULL)
            reading->lost_told = json_integer_value(lost);
        else
            reading->is_good = false;
        json_decref(line);
    }
    return NULL;
}

/* More than the queue holds: each line is whole, or counted. */
static int threads_lines_stay_whole(void)
{
    static const char LETTERS[THREADS] = {'a', 'b', 'c', 'd'};
    reading_t reading = {.stream = fdopen(take_standard_error(), "r")};
    pthread_t reader;
    pthread_t threads[THREADS];
    REQUIRE(reading.stream != NULL && log_start_writer());
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, log_many, (void *)&LETTERS[i]) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    uint64_t lost = log_lost_total();
    REQUIRE(lost > 0);
    REQUIRE(pthread_create(&reader, NULL, read_lines, &reading) == 0);
    log_stop_writer();
    close(STDERR_FILENO);
    pthread_join(reader, NULL);
    uint64_t seen = 0;
    for (int i = 0; i < THREADS; i++)
        seen += (uint64_t)reading.seen[i];
    REQUIRE(reading.is_good);
    REQUIRE(seen + lost == THREADS * LINES_A_THREAD);
    REQUIRE(reading.lost_told == (long long)lost);
    fclose(reading.stream);
    return 0;
}

static void test_threads_lines_stay_whole(void **state)
{
    (void)state;
    run_apart(threads_lines_stay_whole);
}

/* Whoever waited for the reader would wait for ever. */
static int nobody_reads(void)
{
    enum { LINES = 10000 };
    int fd = take_standard_error();
    REQUIRE(log_start_writer());
    for (int i = 0; i < LINES; i++)
        log_event(LOG_LEVEL_INFO, "unread", json_pack("{s:i}", "n", i));
    REQUIRE(log_lost_total() > 0);
    log_flush();
    log_stop_writer();
    uint64_t lost = log_lost_total();
    log_event(LOG_LEVEL_INFO, "too_late", NULL);
    REQUIRE(log_lost_total() == lost + 1);
    REQUIRE(!log_write_line((slice_t){"x\n", 2}));
    close(fd);
    return 0;
}

static void test_nobody_reads(void **state)
{
    (void)state;
    run_apart(nobody_reads);
}

static int nowhere_to_write(void)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    REQUIRE(log_start_writer());
    for (int i = 0; i < 10; i++)
        log_event(LOG_LEVEL_INFO, "unwritten", NULL);
    log_stop_writer();
    REQUIRE(log_lost_total() == 10);
    return 0;
}

static void test_nowhere_to_write(void **state)
{
    (void)state;
    run_apart(nowhere_to_write);
}

/* Lines of another kind that nobody reads leave room for events. */
static int events_are_not_crowded_out(void)
{
    enum { OTHERS = 10000, EVENTS = 50 };
    FILE *stream = fdopen(take_standard_error(), "r");
    pthread_t reader;
    reading_t reading = {.stream = stream};
    char text[LONG_TEXT + 1];
    memset(text, 'a', LONG_TEXT);
    text[LONG_TEXT] = '\0';
    char other[LONG_TEXT + 32];
    int other_len = snprintf(other, sizeof(other), "{\"text\":\"%s\"}\n", text);
    unsigned refused = 0;
    REQUIRE(stream != NULL && log_start_writer());
    /* More than the pipe and both buffers hold. */
    for (int i = 0; i < OTHERS; i++)
        refused += !log_write_line((slice_t){other, (size_t)other_len});
    REQUIRE(refused > 0);
    text[0] = 'b';
    for (int i = 0; i < EVENTS; i++)
        log_event(LOG_LEVEL_INFO, "needed", json_pack("{s:s}", "text", text));
    REQUIRE(log_lost_total() == 0);
    REQUIRE(pthread_create(&reader, NULL, read_lines, &reading) == 0);
    log_stop_writer();
    close(STDERR_FILENO);
    pthread_join(reader, NULL);
    REQUIRE(reading.is_good && reading.seen[1] == EVENTS);
    /* They count for whoever wrote them, and are told all the same. */
    REQUIRE(log_lost_total() == 0 && reading.lost_told == refused);
    fclose(stream);
    return 0;
}

static void test_events_are_not_crowded_out(void **state)
{
    (void)state;
    run_apart(events_are_not_crowded_out);
}

static void *log_until_told(void *data)
{
    const atomic_bool *is_over = data;
    while (!atomic_load(is_over))
        log_event(LOG_LEVEL_INFO, "late", NULL);
    return NULL;
}

/* A thread that somebody left behind may log at any time. */
static int threads_log_on_past_the_end(void)
{
    enum { TURNS = 200 };
    pthread_t threads[THREADS];
    atomic_bool is_over = false;
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    REQUIRE(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
    for (int i = 0; i < THREADS; i++)
        REQUIRE(pthread_create(&threads[i], NULL, log_until_told, &is_over) == 0);
    for (int i = 0; i < TURNS; i++) {
        REQUIRE(log_start_writer());
        usleep(1000);
        log_stop_writer();
    }
    atomic_store(&is_over, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static void test_threads_log_on_past_the_end(void **state)
{
    (void)state;
    run_apart(threads_log_on_past_the_end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_stay_in_order),
        cmocka_unit_test(test_flushed_lines_are_out),
        cmocka_unit_test(test_threads_lines_stay_whole),
        cmocka_unit_test(test_nobody_reads),
        cmocka_unit_test(test_nowhere_to_write),
        cmocka_unit_test(test_events_are_not_crowded_out),
        cmocka_unit_test(test_threads_log_on_past_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
