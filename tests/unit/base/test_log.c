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
#include <unistd.h>

enum { THREADS = 4 };

/* Standard error, sent into a pipe that a thread of its own reads to the end. */
typedef struct capture {
    int stderr_copy;
    int read_end;
    pthread_t reader;
    char *text;
    size_t len;
} capture_t;

static void *read_to_end(void *argument)
{
    capture_t *capture = argument;
    FILE *sink = open_memstream(&capture->text, &capture->len);
    char piece[4096];
    ssize_t got;

    while ((got = read(capture->read_end, piece, sizeof piece)) > 0)
        fwrite(piece, 1, (size_t)got, sink);
    fclose(sink);
    return NULL;
}

static void capture_begin(capture_t *capture, int pipe_flags)
{
    int ends[2];

    fflush(stderr);
    assert_int_equal(pipe2(ends, pipe_flags), 0);
    /* The reader waits for bytes also when the writer is not to wait. */
    assert_int_equal(fcntl(ends[0], F_SETFL, 0), 0);
    capture->read_end = ends[0];
    capture->stderr_copy = dup(STDERR_FILENO);
    assert_true(capture->stderr_copy >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    close(ends[1]);
    assert_int_equal(pthread_create(&capture->reader, NULL, read_to_end, capture), 0);
}

/* Gives back standard error; capture->text is then the caller's to free. */
static void capture_end(capture_t *capture)
{
    dup2(capture->stderr_copy, STDERR_FILENO);
    close(capture->stderr_copy);
    pthread_join(capture->reader, NULL);
    close(capture->read_end);
}

/* Logs one event and gives back its line as an object, after the checks that hold for every line. */
static json_t *logged(log_level_t level, const char *event, json_t *fields)
{
    capture_t capture;
    json_t *line;

    capture_begin(&capture, 0);
    log_event(level, event, fields);
    capture_end(&capture);
    assert_true(capture.len > 0);
    assert_ptr_equal(memchr(capture.text, '\n', capture.len), capture.text + capture.len - 1);
    for (size_t i = 0; i + 1 < capture.len; i++)
        assert_true(capture.text[i] >= ' ' && capture.text[i] <= '~');
    line = json_loads(capture.text, JSON_REJECT_DUPLICATES, NULL);
    free(capture.text);
    assert_non_null(line);
    return line;
}

static void assert_member(json_t *line, const char *name, const char *expected)
{
    assert_non_null(json_object_get(line, name));
    assert_string_equal(json_string_value(json_object_get(line, name)), expected);
}

static void assert_order(json_t *line, const char *const *names, size_t count)
{
    const char *name;
    json_t *value;
    size_t i = 0;

    assert_int_equal(json_object_size(line), count);
    json_object_foreach(line, name, value)
    {
        assert_string_equal(name, names[i]);
        i++;
    }
}

static void a_line_has_time_level_event_then_the_fields(void **state)
{
    static const char *const names[] = {"time", "level", "event", "zebra", "apple", "nested"};
    json_t *fields = json_pack("{s:s, s:i, s:{s:b}}", "zebra", "z", "apple", 7, "nested", "on", 1);
    json_t *line = logged(LOG_LEVEL_WARN, "something_odd", json_incref(fields));

    (void)state;
    assert_int_equal(fields->refcount, 1);
    json_decref(fields);
    assert_order(line, names, 6);
    assert_member(line, "level", "warn");
    assert_member(line, "event", "something_odd");
    assert_member(line, "zebra", "z");
    assert_int_equal(json_integer_value(json_object_get(line, "apple")), 7);
    assert_true(json_is_true(json_object_get(json_object_get(line, "nested"), "on")));
    json_decref(line);
}

static void levels_have_names(void **state)
{
    json_t *line;

    (void)state;
    line = logged(LOG_LEVEL_INFO, "e", NULL);
    assert_member(line, "level", "info");
    assert_int_equal(json_object_size(line), 3);
    json_decref(line);
    line = logged(LOG_LEVEL_ERROR, "e", json_object());
    assert_member(line, "level", "error");
    json_decref(line);
}

static void time_is_rfc3339_with_milliseconds(void **state)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    json_t *line = logged(LOG_LEVEL_INFO, "e", NULL);
    const char *text = json_string_value(json_object_get(line, "time"));

    (void)state;
    assert_non_null(text);
    assert_int_equal(strlen(text), strlen(shape));
    for (size_t i = 0; shape[i] != '\0'; i++) {
        if (shape[i] == 'd')
            assert_in_range(text[i], '0', '9');
        else
            assert_int_equal(text[i], shape[i]);
    }
    json_decref(line);
}

static void hostile_text_stays_within_its_string(void **state)
{
    static const char hostile[] =
        "a\n{\"level\":\"error\"}\r\t\"\\ \x1b[31m \xc2\x9b \xe2\x80\xa8 \xf0\x9f\x98\x80";
    json_t *line = logged(LOG_LEVEL_INFO, "e", json_pack("{s:s}", "text", hostile));

    (void)state;
    assert_member(line, "level", "info");
    assert_member(line, "text", hostile);
    json_decref(line);
}

static void fields_that_are_not_utf8_are_left_out(void **state)
{
    static const char *const names[] = {"time", "level", "event", "fields_left_out"};
    json_t *fields = json_object();
    json_t *line;

    (void)state;
    json_object_set_new(fields, "good", json_integer(1));
    json_object_set_new(fields, "bad", json_stringn_nocheck("\xff\xfe\"\n", 4));
    line = logged(LOG_LEVEL_ERROR, "odd", fields);
    assert_order(line, names, 4);
    assert_member(line, "event", "odd");
    assert_true(json_is_true(json_object_get(line, "fields_left_out")));
    json_decref(line);

    fields = json_object();
    json_object_set_new_nocheck(fields, "\xc3(", json_integer(1));
    line = logged(LOG_LEVEL_ERROR, "odd", fields);
    assert_order(line, names, 4);
    json_decref(line);
}

static void fields_that_are_no_object_are_left_out(void **state)
{
    json_t *line = logged(LOG_LEVEL_INFO, "odd", json_pack("[i]", 1));

    (void)state;
    assert_true(json_is_true(json_object_get(line, "fields_left_out")));
    json_decref(line);
}

static void an_event_name_cannot_break_the_line(void **state)
{
    json_t *line;

    (void)state;
    line = logged(LOG_LEVEL_INFO, "a\"b\nc", json_pack("{s:i}", "n", 1));
    assert_member(line, "event", "a\"b\nc");
    json_decref(line);
    line = logged(LOG_LEVEL_INFO, "\xff", json_pack("{s:i}", "n", 1));
    assert_member(line, "event", "unnamed");
    assert_int_equal(json_integer_value(json_object_get(line, "n")), 1);
    json_decref(line);
    line = logged(LOG_LEVEL_INFO, NULL, NULL);
    assert_member(line, "event", "unnamed");
    json_decref(line);
}

static void fields_cannot_replace_the_head(void **state)
{
    json_t *line =
        logged(LOG_LEVEL_INFO, "real",
               json_pack("{s:s, s:s, s:s, s:i}", "event", "fake", "level", "fake", "time", "fake", "n", 1));

    (void)state;
    assert_member(line, "event", "real");
    assert_member(line, "level", "info");
    assert_int_equal(json_object_size(line), 4);
    json_decref(line);
}

/* The number of jansson's allocations that still succeed. */
static int allocations_left;

static void *allocate_while_any_left(size_t size)
{
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void without_memory_a_line_is_whole_or_not_written(void **state)
{
    int written = 0;

    (void)state;
    for (int left = 0; left < 100; left++) {
        json_t *fields = json_pack("{s:s, s:i}", "text", "some text that has to be escaped: \n", "n", 1);
        capture_t capture;

        capture_begin(&capture, 0);
        allocations_left = left;
        json_set_alloc_funcs(allocate_while_any_left, free);
        log_event(LOG_LEVEL_ERROR, "short_of_memory", json_incref(fields));
        json_set_alloc_funcs(malloc, free);
        capture_end(&capture);

        assert_int_equal(fields->refcount, 1);
        json_decref(fields);
        if (capture.len > 0) {
            json_t *line = json_loads(capture.text, 0, NULL);

            assert_int_equal(capture.text[capture.len - 1], '\n');
            assert_member(line, "level", "error");
            json_decref(line);
            written++;
        }
        free(capture.text);
    }
    assert_in_range(written, 1, 99);
}

enum { LINES_A_THREAD = 40, LONG_TEXT = 20000 };

static void *log_long_lines(void *argument)
{
    char letter = *(const char *)argument;
    char *text = malloc(LONG_TEXT + 1);

    memset(text, letter, LONG_TEXT);
    text[LONG_TEXT] = '\0';
    for (int i = 0; i < LINES_A_THREAD; i++)
        log_event(LOG_LEVEL_INFO, "long", json_pack("{s:s, s:i}", "text", text, "i", i));
    free(text);
    return NULL;
}

/* Lines above PIPE_BUF and more of them than a pipe holds, from several threads. */
static void assert_long_lines_stay_whole(int pipe_flags)
{
    static const char letters[THREADS] = {'a', 'b', 'c', 'd'};
    int seen[THREADS] = {0};
    pthread_t threads[THREADS];
    capture_t capture;
    char *position;

    capture_begin(&capture, pipe_flags);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_long_lines, (void *)&letters[i]), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    capture_end(&capture);

    for (char *text = strtok_r(capture.text, "\n", &position); text != NULL;
         text = strtok_r(NULL, "\n", &position)) {
        json_t *line = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        const char *field = json_string_value(json_object_get(line, "text"));
        int thread;

        assert_non_null(field);
        thread = field[0] - 'a';
        assert_in_range(thread, 0, THREADS - 1);
        assert_int_equal(strspn(field, (char[]){field[0], '\0'}), LONG_TEXT);
        assert_int_equal(strlen(field), LONG_TEXT);
        assert_int_equal(json_integer_value(json_object_get(line, "i")), seen[thread]);
        seen[thread]++;
        json_decref(line);
    }
    free(capture.text);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(seen[i], LINES_A_THREAD);
}

static void lines_of_several_threads_stay_whole(void **state)
{
    (void)state;
    assert_long_lines_stay_whole(0);
}

static void lines_stay_whole_when_standard_error_does_not_block(void **state)
{
    (void)state;
    assert_long_lines_stay_whole(O_NONBLOCK);
}

static void a_closed_standard_error_is_survived(void **state)
{
    int copy = dup(STDERR_FILENO);

    (void)state;
    assert_true(copy >= 0);
    close(STDERR_FILENO);
    log_event(LOG_LEVEL_INFO, "unheard", json_pack("{s:i}", "n", 1));
    dup2(copy, STDERR_FILENO);
    close(copy);
}

static void gate_lets_burst_lines_through_in_each_period(void **state)
{
    log_gate_t gate = {0};
    uint64_t left_out = 77;

    (void)state;
    log_gate_init(&gate, 3, 1000);
    for (int i = 0; i < 3; i++) {
        assert_true(log_gate_pass(&gate, 5000 + i, &left_out));
        assert_int_equal(left_out, 0);
    }
    left_out = 77;
    for (int i = 0; i < 10; i++)
        assert_false(log_gate_pass(&gate, 5999, &left_out));
    assert_int_equal(left_out, 77);
    assert_true(log_gate_pass(&gate, 6000, &left_out));
    assert_int_equal(left_out, 10);
    assert_true(log_gate_pass(&gate, 6001, &left_out));
    assert_int_equal(left_out, 0);
}

static void gate_survives_odd_times(void **state)
{
    log_gate_t gate = {0};
    uint64_t left_out;

    (void)state;
    log_gate_init(&gate, 1, 1000);
    assert_true(log_gate_pass(&gate, INT64_C(9000000000000), &left_out));
    assert_false(log_gate_pass(&gate, 0, &left_out));
    assert_false(log_gate_pass(&gate, -5000, &left_out));
    assert_true(log_gate_pass(&gate, INT64_C(9000000001000), &left_out));
    assert_int_equal(left_out, 2);

    log_gate_init(&gate, 1, 0);
    assert_true(log_gate_pass(&gate, 10, &left_out));
    assert_false(log_gate_pass(&gate, 10, &left_out));
    assert_true(log_gate_pass(&gate, 11, &left_out));
    log_gate_init(&gate, 1, -1);
    assert_true(log_gate_pass(&gate, -1, &left_out));
}

static void gate_without_burst_is_shut(void **state)
{
    log_gate_t gate = {0};
    uint64_t left_out = 77;

    (void)state;
    log_gate_init(&gate, 0, 1000);
    assert_false(log_gate_pass(&gate, 1, &left_out));
    assert_false(log_gate_pass(&gate, 10001, &left_out));
    assert_int_equal(left_out, 77);
}

static void gate_bounds_a_huge_burst(void **state)
{
    log_gate_t gate = {0};
    uint64_t left_out;

    (void)state;
    log_gate_init(&gate, UINT32_MAX, 1000);
    assert_int_equal(gate.burst, 16777215);
    assert_true(log_gate_pass(&gate, 1, &left_out));
}

enum { GATE_BURST = 5, GATE_PERIODS = 2000, GATE_CALLS = GATE_PERIODS * 20, GATE_PERIOD_MS = 10 };

typedef struct gate_run {
    log_gate_t gate;
    _Atomic int64_t calls;
    _Atomic uint64_t passed;
    _Atomic uint64_t left_out;
} gate_run_t;

static void *pass_gate(void *argument)
{
    gate_run_t *run = argument;

    for (int i = 0; i < GATE_CALLS / THREADS; i++) {
        /* A clock that all threads move on, 20 calls a period. */
        int64_t now_ms = atomic_fetch_add(&run->calls, 1) / 2;
        uint64_t left_out = 0;

        if (log_gate_pass(&run->gate, now_ms, &left_out)) {
            atomic_fetch_add(&run->passed, 1);
            atomic_fetch_add(&run->left_out, left_out);
        }
    }
    return NULL;
}

static void gate_is_exact_under_threads(void **state)
{
    gate_run_t run = {0};
    pthread_t threads[THREADS];
    uint64_t left_out = 0;

    (void)state;
    log_gate_init(&run.gate, GATE_BURST, GATE_PERIOD_MS);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_gate, &run), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_true(run.passed <= (uint64_t)GATE_BURST * GATE_PERIODS);
    assert_true(run.passed > 0);
    assert_true(log_gate_pass(&run.gate, INT64_C(1) << 40, &left_out));
    assert_int_equal(run.passed + run.left_out + left_out, GATE_CALLS);
}

/* All threads in one period: not one line too many or too few. */
static void gate_passes_exactly_burst_under_threads(void **state)
{
    gate_run_t run = {0};
    pthread_t threads[THREADS];

    (void)state;
    log_gate_init(&run.gate, 1000, INT64_C(1) << 40);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pass_gate, &run), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(run.passed, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_time_level_event_then_the_fields),
        cmocka_unit_test(levels_have_names),
        cmocka_unit_test(time_is_rfc3339_with_milliseconds),
        cmocka_unit_test(hostile_text_stays_within_its_string),
        cmocka_unit_test(fields_that_are_not_utf8_are_left_out),
        cmocka_unit_test(fields_that_are_no_object_are_left_out),
        cmocka_unit_test(an_event_name_cannot_break_the_line),
        cmocka_unit_test(fields_cannot_replace_the_head),
        cmocka_unit_test(without_memory_a_line_is_whole_or_not_written),
        cmocka_unit_test(lines_of_several_threads_stay_whole),
        cmocka_unit_test(lines_stay_whole_when_standard_error_does_not_block),
        cmocka_unit_test(a_closed_standard_error_is_survived),
        cmocka_unit_test(gate_lets_burst_lines_through_in_each_period),
        cmocka_unit_test(gate_survives_odd_times),
        cmocka_unit_test(gate_without_burst_is_shut),
        cmocka_unit_test(gate_bounds_a_huge_burst),
        cmocka_unit_test(gate_is_exact_under_threads),
        cmocka_unit_test(gate_passes_exactly_burst_under_threads),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
