#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void nothing_is_no_change(void **state)
{
    (void)state;
    watch = file_watch_new();
    assert_non_null(watch);
    assert_true(file_watch_fd(watch) >= 0);
    assert_no_change();
    watch_files(NULL, 0);
    assert_no_change();
    file_watch_begin(watch);
    file_watch_reject(watch);
    assert_no_change();
}

static void a_write_in_place(void **state)
{
    (void)state;
    write_file("file", "one");
    watch_file("file");
    write_file("file", "two and more");
    assert_change_is_told();
    write_file("file", "");
    assert_change_is_told();
}

static void a_file_moved_over_it(void **state)
{
    (void)state;
    write_file("file", "one");
    watch_file("file");
    replace_file("file", "two and more");
    assert_change_is_told();
    replace_file("file", "three and much more");
    assert_change_is_told();
}

static void a_change_of_mode(void **state)
{
    struct stat before, after;

    (void)state;
    write_file("file", "one");
    watch_file("file");
    assert_int_equal(stat(at("file"), &before), 0);
    do {
        /* Until the kernel's clock has ticked. */
        assert_int_equal(chmod(at("file"), 0400), 0);
        assert_int_equal(stat(at("file"), &after), 0);
    } while (before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
    assert_change_is_told();
}

/* Sets name's mode and owner to what they are, until that shows in its time of change. */
static void set_attributes_again(const char *name)
{
    struct stat before, after;

    assert_int_equal(stat(at(name), &before), 0);
    do {
        assert_int_equal(chown(at(name), before.st_uid, before.st_gid), 0);
        assert_int_equal(chmod(at(name), before.st_mode & 07777), 0);
        assert_int_equal(stat(at(name), &after), 0);
    } while (before.st_ctim.tv_sec == after.st_ctim.tv_sec &&
             before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

static void attributes_set_to_what_they_are(void **state)
{
    (void)state;
    write_file("file", "one");
    watch_file("file");
    for (int round = 0; round < 3; round++) {
        set_attributes_again("file");
        assert_no_change();
    }
    write_file("file", "two");
    assert_change_is_told();
    set_attributes_again("file");
    assert_no_change();
}

static void other_content_of_the_same_size_and_time(void **state)
{
    struct stat before;

    (void)state;
    write_file("file", "one");
    watch_file("file");
    assert_int_equal(stat(at("file"), &before), 0);
    set_attributes_again("file"); /* so that the kernel's clock has ticked */
    write_file("file", "two");
    assert_int_equal(utimensat(AT_FDCWD, at("file"), (struct timespec[]){before.st_atim, before.st_mtim}, 0),
                     0);
    assert_change_is_told();
}

static void a_file_removed_and_made_again(void **state)
{
    (void)state;
    write_file("file", "one");
    watch_file("file");
    remove_file("file");
    assert_change_is_told();
    write_file("file", "two and more");
    assert_change_is_told();
}

static void a_file_moved_away_and_one_moved_in(void **state)
{
    (void)state;
    make_directory("directory");
    write_file("directory/file", "one");
    write_file("other", "two and more");
    watch_file("directory/file");
    assert_int_equal(rename(at("directory/file"), at("away")), 0);
    assert_change_is_told();
    assert_int_equal(rename(at("other"), at("directory/file")), 0);
    assert_change_is_told();
}

static void another_reason_why_it_cannot_be_had(void **state)
{
    int wait_ms = -1;

    (void)state;
    make_directory("directory");
    watch_file("directory/file");
    assert_int_equal(rmdir(at("directory")), 0);
    write_file("directory", "no directory any more");
    assert_true(is_told());
    assert_quiet_for(SETTLE_MS);
    now_ms += SETTLE_MS;
    assert_true(file_watch_check(watch, now_ms, &wait_ms));
    assert_quiet_for(BLIND_SWEEP_MS);
}

static void a_missing_file_that_appears(void **state)
{
    (void)state;
    watch_file("file");
    write_file("file", "one");
    assert_change_is_told();
}

static void a_file_in_a_directory_that_appears(void **state)
{
    (void)state;
    /* A directory that is not there cannot be watched: it is looked for more often. */
    watch = file_watch_new();
    assert_non_null(watch);
    file_watch_begin(watch);
    assert_true(file_watch_add(watch, at("directory/file")));
    file_watch_commit(watch);
    assert_quiet_for(BLIND_SWEEP_MS);
    make_directory("directory");
    write_file("directory/file", "one");
    assert_change_is_swept(BLIND_SWEEP_MS);
    write_file("directory/file", "two and more");
    assert_change_is_told();
}

static void a_directory_that_vanishes_and_comes_back(void **state)
{
    int wait_ms = -1;

    (void)state;
    make_directory("directory");
    write_file("directory/file", "one");
    watch_file("directory/file");
    remove_file("directory/file");
    assert_int_equal(rmdir(at("directory")), 0);
    assert_true(is_told());
    assert_quiet_for(SETTLE_MS);
    now_ms += SETTLE_MS;
    assert_true(file_watch_check(watch, now_ms, &wait_ms));
    make_directory("directory");
    write_file("directory/file", "two and more");
    assert_change_is_swept(BLIND_SWEEP_MS);
    write_file("directory/file", "three and much more");
    assert_change_is_told();
}

static void a_directory_moved_away_and_another_in_its_place(void **state)
{
    (void)state;
    make_directory("directory");
    make_directory("other");
    write_file("directory/file", "one");
    write_file("other/file", "another");
    watch_file("directory/file");
    assert_int_equal(rename(at("directory"), at("old")), 0);
    assert_int_equal(rename(at("other"), at("directory")), 0);
    assert_change_is_told();
    write_file("directory/file", "two and more");
    assert_change_is_told();
    /* The old one is nobody's any more. */
    write_file("old/file", "of no interest");
    assert_false(is_told());
    assert_no_change();
}

static void kubernetes_exchange(void **state)
{
    (void)state;
    make_directory("..2024_1");
    write_file("..2024_1/secret", "one");
    make_link("..data", "..2024_1");
    make_link("secret", "..data/secret");
    watch_file("secret");
    for (int round = 2; round < 6; round++) {
        char made[32], left[32], text[32], made_secret[64], left_secret[64];

        snprintf(made, sizeof made, "..2024_%d", round);
        snprintf(left, sizeof left, "..2024_%d", round - 1);
        snprintf(text, sizeof text, "the one of round %d", round);
        snprintf(made_secret, sizeof made_secret, "%s/secret", made);
        snprintf(left_secret, sizeof left_secret, "%s/secret", left);
        make_directory(made);
        write_file(made_secret, text);
        assert_no_change();
        exchange_link("..data", made);
        assert_true(is_told());
        assert_quiet_for(SETTLE_MS);
        remove_file(left_secret);
        assert_int_equal(rmdir(at(left)), 0);
        assert_change_settles();
        assert_false(is_told());
    }
}

static void the_file_at_the_end_of_symbolic_links(void **state)
{
    (void)state;
    make_directory("a");
    make_directory("b");
    make_directory("c");
    write_file("c/file", "one");
    make_link("b/link", "../c/file");
    make_link("a/link", at("b/link"));
    watch_file("a/link");
    write_file("c/file", "two and more");
    assert_change_is_told();
    write_file("c/second", "the second");
    exchange_link("b/link", "../c/second");
    assert_change_is_told();
    write_file("c/third", "a third one");
    exchange_link("a/link", "../c/third");
    assert_change_is_told();
    write_file("c/third", "changed in its place");
    assert_change_is_told();
    /* No longer on the way. */
    remove_file("b/link");
    assert_no_change();
    assert_false(is_told());
}

static void a_link_that_leads_nowhere(void **state)
{
    (void)state;
    make_directory("b");
    make_link("link", "b/file");
    watch_file("link");
    write_file("b/file", "one");
    assert_change_is_told();
}

static void links_in_a_circle(void **state)
{
    (void)state;
    make_link("a", "b");
    make_link("b", "a");
    watch_file("a");
    write_file("file", "one");
    exchange_link("b", "file");
    assert_change_is_told();
}

static void a_link_too_long_to_be_followed(void **state)
{
    static char target[4080];

    (void)state;
    for (size_t i = 0; i < sizeof target - 5; i++)
        target[i] = i % 2 == 0 ? '.' : '/';
    memcpy(target + sizeof target - 6, "/file", 6);
    make_link("link", target);
    watch_file("link");
    write_file("file", "one");
    assert_change_is_told();
}

static void an_exchanged_link_above_the_directory(void **state)
{
    (void)state;
    make_directory("v1");
    make_directory("v2");
    make_directory("links");
    write_file("v1/file", "one");
    write_file("v2/file", "two and more");
    make_link("links/current", "../v1");
    watch_file("links/current/file");
    exchange_link("links/current", "../v2");
    assert_false(is_told());
    assert_change_is_swept(SWEEP_MS);
    write_file("v2/file", "three and much more");
    assert_change_is_told();
}

static void an_unrelated_file_in_the_directory(void **state)
{
    (void)state;
    write_file("file", "one");
    watch_file("file");
    write_file("other", "one");
    assert_true(is_told());
    assert_no_change();
    assert_false(is_told());
}

static void reading_is_no_change(void **state)
{
    char text[8];
    FILE *file;

    (void)state;
    write_file("file", "one");
    watch_file("file");
    file = fopen(at("file"), "rb");
    assert_non_null(file);
    assert_int_equal(fread(text, 1, sizeof text, file), 3);
    assert_int_equal(fclose(file), 0);
    assert_no_change();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(nothing_is_no_change),
        WATCH_TEST(a_write_in_place),
        WATCH_TEST(a_file_moved_over_it),
        WATCH_TEST(a_change_of_mode),
        WATCH_TEST(attributes_set_to_what_they_are),
        WATCH_TEST(other_content_of_the_same_size_and_time),
        WATCH_TEST(a_file_removed_and_made_again),
        WATCH_TEST(a_file_moved_away_and_one_moved_in),
        WATCH_TEST(another_reason_why_it_cannot_be_had),
        WATCH_TEST(a_missing_file_that_appears),
        WATCH_TEST(a_file_in_a_directory_that_appears),
        WATCH_TEST(a_directory_that_vanishes_and_comes_back),
        WATCH_TEST(a_directory_moved_away_and_another_in_its_place),
        WATCH_TEST(kubernetes_exchange),
        WATCH_TEST(the_file_at_the_end_of_symbolic_links),
        WATCH_TEST(a_link_that_leads_nowhere),
        WATCH_TEST(links_in_a_circle),
        WATCH_TEST(a_link_too_long_to_be_followed),
        WATCH_TEST(an_exchanged_link_above_the_directory),
        WATCH_TEST(an_unrelated_file_in_the_directory),
        WATCH_TEST(reading_is_no_change),
    };

    return cmocka_run_group_tests_name("file_watch", tests, NULL, NULL);
}
