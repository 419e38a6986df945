#include "failing_alloc.h"
#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void paths_that_cannot_be(void **state)
{
    static char endless[9000];

    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    endless[0] = '/';
    watch = file_watch_new();
    assert_non_null(watch);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, endless));
    assert_true(file_watch_add(watch, ""));
    assert_true(file_watch_add(watch, "/"));
    file_watch_commit(watch);
    assert_quiet_for(BLIND_SWEEP_MS);
    now_ms += BLIND_SWEEP_MS;
    assert_quiet_for(BLIND_SWEEP_MS);
}

static void a_path_relative_to_the_working_directory(void **state)
{
    char *before = getcwd(NULL, 0);

    (void)state;
    assert_non_null(before);
    assert_int_equal(chdir(folder), 0);
    watch = file_watch_new();
    assert_non_null(watch);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, "file"));
    file_watch_commit(watch);
    assert_no_change();
    write_file("file", "one");
    assert_change_is_told();
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void without_inotify(void **state)
{
    (void)state;
    has_inotify = false;
    write_file("file", "one");
    watch_file("file");
    assert_int_equal(file_watch_fd(watch), -1);
    write_file("file", "two and more");
    assert_change_is_swept(BLIND_SWEEP_MS);
    replace_file("file", "three and much more");
    assert_change_is_swept(BLIND_SWEEP_MS);
    remove_file("file");
    assert_change_is_swept(BLIND_SWEEP_MS);
    write_file("file", "four");
    assert_change_is_swept(BLIND_SWEEP_MS);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("tried")));
    file_watch_reject(watch);
    write_file("tried", "one");
    assert_change_settles();
}

static void an_overflow_is_a_reason_to_look(void **state)
{
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
    char text[32] = "";
    long events;

    (void)state;
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    events = strtol(text, NULL, 10);
    if (events > 100000)
        skip();
    write_file("file", "one");
    watch_file("file");
    for (long i = 0; i < events; i += 2) {
        write_file("other", "");
        remove_file("other");
    }
    write_file("file", "two and more");
    assert_change_is_told();
}

static void leaves_no_descriptor_open(void **state)
{
    int before = dup(STDERR_FILENO);
    int after;

    (void)state;
    close(before);
    write_file("file", "one");
    for (int i = 0; i < 10; i++) {
        watch_file("file");
        file_watch_begin(watch);
        assert_true(file_watch_add(watch, at("tried")));
        file_watch_reject(watch);
        file_watch_begin(watch);
        assert_true(file_watch_add(watch, at("left unfinished")));
        file_watch_free(watch);
        watch = NULL;
    }
    after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(before, after);
}

/* What a start does, and a look. Whether every path could be added. */
static bool start_and_look(void)
{
    bool has_all = true;
    int wait_ms;

    watch = file_watch_new();
    if (watch == NULL)
        return false;
    file_watch_begin(watch);
    for (int i = 0; i < 12; i++) {
        if (!file_watch_add(watch, at(i % 2 == 0 ? "a/file" : "b/file")))
            has_all = false;
    }
    file_watch_commit(watch);
    assert_false(file_watch_check(watch, now_ms, &wait_ms));
    return has_all;
}

static void each_failed_allocation_is_survived(void **state)
{
    unsigned passing = 0;
    unsigned hidden = 0;
    bool has_failed;

    (void)state;
    make_directory("a");
    make_directory("b");
    do {
        bool has_all;
        char text[64];
        int wait_ms;

        failing_alloc_arm(passing);
        has_all = start_and_look();
        has_failed = failing_alloc_disarm();
        if (has_failed && has_all)
            hidden++;
        snprintf(text, sizeof text, "%*d", (int)passing + 1, 1);
        write_file("a/file", text);
        write_file("b/file", text);
        if (watch != NULL) {
            /* Also when a directory could not be remembered, what was added is looked at. */
            now_ms += SWEEP_MS;
            assert_quiet_for(SETTLE_MS);
            now_ms += SETTLE_MS;
            assert_true(file_watch_check(watch, now_ms, &wait_ms));
            assert_no_change();
        }
        file_watch_free(watch);
        watch = NULL;
        passing++;
    } while (has_failed);
    /* The object, its digester, two lists, twelve paths and contents, the directories at the commit and at
     * the look. Without the digester or a content its times alone decide. */
    assert_int_equal(passing, 1 + 1 + 2 + 12 + 12 + 2 + 1);
    assert_int_equal(hidden, 1 + 12 + 2);
}

static void free_of_null_is_legal(void **state)
{
    (void)state;
    file_watch_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(paths_that_cannot_be),      WATCH_TEST(a_path_relative_to_the_working_directory),
        WATCH_TEST(without_inotify),           WATCH_TEST(an_overflow_is_a_reason_to_look),
        WATCH_TEST(leaves_no_descriptor_open), WATCH_TEST(each_failed_allocation_is_survived),
        WATCH_TEST(free_of_null_is_legal),
    };

    return cmocka_run_group_tests_name("file_watch_faults", tests, NULL, NULL);
}
