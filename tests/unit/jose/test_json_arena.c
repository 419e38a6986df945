/* jansson's memory while an arena is open, and what becomes of it when it is closed. */
#include "introspectd/json.h"

#include "failing_alloc.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char TEXT[] =
    "{\"iss\":\"https://idp.example/\",\"aud\":[\"a\",\"b\"],\"exp\":1700000000,\"o\":{}}";

static json_t *parse(void)
{
    return json_parse_object(slice_of(TEXT));
}

/* The allocations of the heap that parsing takes: each fails in turn until none is left. */
static unsigned count_allocations(void)
{
    unsigned passing = 0;
    for (;; passing++) {
        failing_alloc_arm(passing);
        json_t *value = parse();
        json_decref(value);
        if (!failing_alloc_disarm())
            break;
        assert_null(value);
    }
    return passing;
}

static void nothing_is_taken_from_the_heap(void **state)
{
    (void)state;
    assert_true(count_allocations() > 10);
    json_arena_open();
    assert_int_equal(count_allocations(), 0);
    json_arena_close();
    assert_true(count_allocations() > 10);
}

static void it_is_empty_again_each_time(void **state)
{
    (void)state;
    const void *first = NULL;
    for (int i = 0; i < 1000; i++) {
        json_arena_open();
        json_t *value = parse();
        assert_non_null(value);
        if (i == 0)
            first = value;
        assert_ptr_equal(value, first);
        json_decref(value);
        json_arena_close();
    }
}

/* When it is used up the heap gives more, and memory that runs out then is told. */
static void what_does_not_fit_lies_on_the_heap(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    json_t *values[COUNT];
    json_arena_open();
    for (size_t i = 0; i < COUNT; i++) {
        values[i] = parse();
        assert_non_null(values[i]);
    }
    assert_true(count_allocations() > 10);
    failing_alloc_arm(0);
    assert_null(parse());
    assert_true(failing_alloc_disarm());
    assert_true(json_ran_out_of_memory());
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(slice_equal(json_get_string(values[i], "iss"), slice_of("https://idp.example/")));
        json_decref(values[i]);
    }
    json_arena_close();
}

/* A block that is larger than all of it, and one that fits the rest to the byte. */
static void sizes_at_the_edge(void **state)
{
    (void)state;
    for (size_t len = 16000; len < 17000; len++) {
        char *text = malloc(len);
        assert_non_null(text);
        memset(text, 'x', len);
        json_arena_open();
        json_t *first = json_stringn_nocheck(text, len);
        json_t *second = json_stringn_nocheck(text, 8);
        assert_non_null(first);
        assert_non_null(second);
        assert_int_equal(json_string_length(first), len);
        assert_memory_equal(json_string_value(first), text, len);
        assert_memory_equal(json_string_value(second), "xxxxxxxx", 8);
        json_decref(first);
        json_decref(second);
        json_arena_close();
        free(text);
    }
}

static void what_was_there_before_may_be_released_inside(void **state)
{
    (void)state;
    json_t *before = parse();
    assert_non_null(before);
    json_arena_open();
    json_decref(before);
    json_arena_close();
}

/* The signal that ends a process which does so, 0 when none does. */
static int signal_of(void (*action)(void))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL);
        action();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void close_with_a_value_left(void)
{
    json_arena_open();
    json_t *value = parse();
    json_arena_close();
    json_decref(value);
}

static void close_with_none_left(void)
{
    json_arena_open();
    json_decref(parse());
    json_arena_close();
}

static void open_twice(void)
{
    json_arena_open();
    json_arena_open();
}

static void mistakes_end_the_process(void **state)
{
    (void)state;
    assert_int_equal(signal_of(close_with_none_left), 0);
    assert_int_equal(signal_of(close_with_a_value_left), SIGABRT);
    assert_int_equal(signal_of(open_twice), SIGABRT);
    assert_int_equal(signal_of(json_arena_close), SIGABRT);
}

int main(void)
{
    json_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_taken_from_the_heap),
        cmocka_unit_test(it_is_empty_again_each_time),
        cmocka_unit_test(what_does_not_fit_lies_on_the_heap),
        cmocka_unit_test(sizes_at_the_edge),
        cmocka_unit_test(what_was_there_before_may_be_released_inside),
        cmocka_unit_test(mistakes_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
