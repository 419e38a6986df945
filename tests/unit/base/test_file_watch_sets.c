#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

/* Joins what it is told, in the order in which it is told. */
static void join_name(void *data, const char *path)
{
    char *names = data;
    size_t len = strlen(names);

    snprintf(names + len, 64 - len, " %s", strrchr(path, '/') + 1);
}

static void the_good_set_can_be_gone_through(void **state)
{
    static const char *const both[] = {"one", "two"};
    char names[64] = "";

    (void)state;
    watch_files(both, 2);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("tried")));
    file_watch_reject(watch);
    file_watch_each(watch, join_name, names);
    assert_string_equal(names, " one two");
}

static void what_is_undone_before_it_rests_is_no_change(void **state)
{
    (void)state;
    make_directory("v1");
    make_directory("v2");
    write_file("v1/file", "one");
    write_file("v2/file", "two and more");
    make_link("link", "v1/file");
    watch_file("link");
    exchange_link("link", "v2/file");
    assert_quiet_for(SETTLE_MS);
    now_ms += SETTLE_MS - 1;
    exchange_link("link", "v1/file");
    assert_no_change();
    watch_file("missing");
    write_file("missing", "for a moment");
    assert_quiet_for(SETTLE_MS);
    remove_file("missing");
    assert_no_change();
}

static void writes_that_go_on_are_waited_for(void **state)
{
    static const char text[] = "a text";
    int wait_ms = -1;

    (void)state;
    write_file("file", "");
    watch_file("file");
    for (size_t len = 1; len < sizeof text; len++) {
        char part[sizeof text];

        snprintf(part, len + 1, "%s", text);
        write_file("file", part);
        assert_quiet_for(SETTLE_MS);
        now_ms += SETTLE_MS - 1;
    }
    assert_quiet_for(1);
    now_ms += 1;
    assert_true(file_watch_check(watch, now_ms, &wait_ms));
    assert_no_change();
}

static void writes_that_never_end_hide_nothing_for_ever(void **state)
{
    int wait_ms = -1;
    int looks = 0;

    (void)state;
    write_file("file", "0");
    watch_file("file");
    for (bool is_told = false; !is_told; looks++) {
        char text[16];

        assert_true(looks < 100);
        snprintf(text, sizeof text, "%d", looks);
        write_file("file", text);
        now_ms += 100;
        is_told = file_watch_check(watch, now_ms, &wait_ms);
    }
    assert_true(looks > 10);
}

static void a_rejected_set_can_be_good_later(void **state)
{
    (void)state;
    write_file("good", "1");
    watch_file("good");
    write_file("tried", "1");
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("tried")));
    file_watch_reject(watch);
    file_watch_reject(watch);
    file_watch_commit(watch);
    assert_no_change();
    write_file("good", "22");
    assert_no_change();
    write_file("tried", "22");
    assert_change_is_told();
}

static void one_that_changes_holds_up_the_others(void **state)
{
    static const char *const names[] = {"a", "b"};
    int wait_ms = -1;

    (void)state;
    watch_files(names, 2);
    write_file("a", "one");
    assert_quiet_for(SETTLE_MS);
    now_ms += 100;
    write_file("b", "one");
    assert_quiet_for(SETTLE_MS);
    now_ms += 100;
    assert_quiet_for(50);
    now_ms += 50;
    assert_true(file_watch_check(watch, now_ms, &wait_ms));
    assert_no_change();
}

static void a_change_while_the_set_is_gathered(void **state)
{
    (void)state;
    write_file("file", "one");
    watch = file_watch_new();
    assert_non_null(watch);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("file")));
    write_file("file", "two and more");
    file_watch_commit(watch);
    assert_change_settles();
}

static void a_change_before_it_is_added_is_known(void **state)
{
    (void)state;
    write_file("file", "one");
    watch_file("file");
    write_file("file", "two and more");
    assert_quiet_for(SETTLE_MS);
    watch_file("file");
}

static void each_of_many_files(void **state)
{
    enum { FILES = 40 };
    char names[FILES][8];
    const char *pointers[FILES];

    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        pointers[i] = names[i];
    }
    watch_files(pointers, FILES);
    assert_no_change();
    for (size_t i = 0; i < FILES; i++) {
        write_file(names[i], "one");
        assert_change_is_told();
    }
}

static void the_same_path_twice(void **state)
{
    static const char *const names[] = {"file", "file", "./file", "file"};

    (void)state;
    write_file("file", "one");
    watch_files(names, 4);
    assert_no_change();
    write_file("file", "two and more");
    assert_change_is_told();
}

static void a_commit_forgets_the_files_before(void **state)
{
    (void)state;
    make_directory("a");
    make_directory("b");
    watch_file("a/file");
    watch_file("b/file");
    write_file("a/file", "one");
    assert_false(is_told());
    assert_no_change();
    write_file("b/file", "one");
    assert_change_is_told();
}

static void an_attempt_that_was_given_up_is_forgotten(void **state)
{
    (void)state;
    make_directory("a");
    make_directory("b");
    watch = file_watch_new();
    assert_non_null(watch);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("a/file")));
    watch_file("b/file");
    write_file("a/file", "one");
    assert_false(is_told());
    assert_no_change();
}

static void a_rejected_set_is_watched_beside_the_good_one(void **state)
{
    (void)state;
    make_directory("a");
    make_directory("b");
    make_directory("c");
    watch_file("a/good");
    for (int round = 0; round < 3; round++) {
        static const char *const texts[] = {"one", "two and more", "three and much more"};

        file_watch_begin(watch);
        assert_true(file_watch_add(watch, at("b/tried")));
        file_watch_reject(watch);
        assert_no_change();
        write_file("b/tried", texts[round]);
        assert_change_is_told();
        write_file("a/good", texts[round]);
        assert_change_is_told();
    }
    /* Another attempt takes the place of the last one, good or not. */
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("c/tried")));
    file_watch_reject(watch);
    assert_no_change();
    remove_file("b/tried");
    assert_false(is_told());
    assert_no_change();
    write_file("c/tried", "one");
    assert_change_is_told();
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("a/good")));
    file_watch_commit(watch);
    assert_no_change();
    remove_file("c/tried");
    assert_false(is_told());
    assert_no_change();
    remove_file("a/good");
    assert_change_is_told();
}

static void until_the_end_of_an_attempt_the_sets_before_it_are_watched(void **state)
{
    (void)state;
    watch_file("good");
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("tried")));
    file_watch_reject(watch);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("next")));
    assert_no_change();
    write_file("tried", "one");
    assert_change_is_told();
    write_file("good", "one");
    assert_change_is_told();
    write_file("next", "one");
    assert_no_change();
    file_watch_commit(watch);
    assert_change_settles();
}

static void what_led_to_a_rejected_attempt_is_not_told_again(void **state)
{
    int wait_ms = -1;

    (void)state;
    write_file("file", "good");
    watch_file("file");
    write_file("file", "a bad one");
    assert_quiet_for(SETTLE_MS);
    now_ms += SETTLE_MS;
    assert_true(file_watch_check(watch, now_ms, &wait_ms));
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("file")));
    file_watch_reject(watch);
    assert_no_change();
    write_file("file", "mended");
    assert_change_is_told();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(the_good_set_can_be_gone_through),
        WATCH_TEST(what_is_undone_before_it_rests_is_no_change),
        WATCH_TEST(writes_that_go_on_are_waited_for),
        WATCH_TEST(writes_that_never_end_hide_nothing_for_ever),
        WATCH_TEST(a_rejected_set_can_be_good_later),
        WATCH_TEST(one_that_changes_holds_up_the_others),
        WATCH_TEST(a_change_while_the_set_is_gathered),
        WATCH_TEST(a_change_before_it_is_added_is_known),
        WATCH_TEST(each_of_many_files),
        WATCH_TEST(the_same_path_twice),
        WATCH_TEST(a_commit_forgets_the_files_before),
        WATCH_TEST(an_attempt_that_was_given_up_is_forgotten),
        WATCH_TEST(a_rejected_set_is_watched_beside_the_good_one),
        WATCH_TEST(until_the_end_of_an_attempt_the_sets_before_it_are_watched),
        WATCH_TEST(what_led_to_a_rejected_attempt_is_not_told_again),
    };

    return cmocka_run_group_tests_name("file_watch_sets", tests, NULL, NULL);
}
