#include "watch_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { START_MS = 1000000, PATH_SIZE = 256 };

/* The linker dictates the names. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_inotify_init1(int flags);
int __wrap_inotify_init1(int flags);
/* NOLINTEND(bugprone-reserved-identifier) */

file_watch_t *watch;
int64_t now_ms;
bool has_inotify;
char folder[64];

int __wrap_inotify_init1(int flags)
{
    if (has_inotify)
        return __real_inotify_init1(flags);
    errno = EMFILE;
    return -1;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info;
    (void)kind;
    (void)place;
    return remove(path);
}

int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/introspectd-watch-XXXXXX");
    has_inotify = true;
    now_ms = START_MS;
    watch = NULL;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

int remove_folder(void **state)
{
    (void)state;
    file_watch_free(watch);
    return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *at(const char *name)
{
    static char paths[4][PATH_SIZE];
    static size_t turn;
    char *path = paths[turn++ % 4];

    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    return path;
}

void write_file(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "wb");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void replace_file(const char *name, const char *text)
{
    write_file("replacement", text);
    assert_int_equal(rename(at("replacement"), at(name)), 0);
}

void make_directory(const char *name)
{
    assert_int_equal(mkdir(at(name), 0700), 0);
}

void make_link(const char *name, const char *target)
{
    assert_int_equal(symlink(target, at(name)), 0);
}

void exchange_link(const char *name, const char *target)
{
    make_link("link_tmp", target);
    assert_int_equal(rename(at("link_tmp"), at(name)), 0);
}

void remove_file(const char *name)
{
    assert_int_equal(unlink(at(name)), 0);
}

bool is_told(void)
{
    struct pollfd fd = {.fd = file_watch_fd(watch), .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

void assert_quiet_for(int ms)
{
    int wait_ms = -1;

    assert_false(file_watch_check(watch, now_ms, &wait_ms));
    assert_int_equal(wait_ms, ms);
}

void assert_no_change(void)
{
    int sweep_ms = has_inotify ? SWEEP_MS : BLIND_SWEEP_MS;
    int wait_ms = -1;

    assert_false(file_watch_check(watch, now_ms, &wait_ms));
    assert_in_range(wait_ms, 0, sweep_ms);
    now_ms += sweep_ms;
    assert_quiet_for(sweep_ms);
    now_ms += SETTLE_MS;
    assert_quiet_for(sweep_ms - SETTLE_MS);
}

void assert_change_settles(void)
{
    int wait_ms = -1;

    assert_quiet_for(SETTLE_MS);
    now_ms += SETTLE_MS - 1;
    assert_quiet_for(1);
    now_ms += 1;
    assert_true(file_watch_check(watch, now_ms, &wait_ms));
    assert_in_range(wait_ms, BLIND_SWEEP_MS, SWEEP_MS);
    assert_no_change();
}

void assert_change_is_told(void)
{
    assert_true(is_told());
    assert_change_settles();
    assert_false(is_told());
}

void assert_change_is_swept(int sweep_ms)
{
    int wait_ms = -1;

    assert_false(file_watch_check(watch, now_ms, &wait_ms));
    assert_in_range(wait_ms, 1, sweep_ms);
    now_ms += wait_ms;
    assert_change_settles();
}

void watch_files(const char *const *names, size_t count)
{
    if (watch == NULL)
        watch = file_watch_new();
    assert_non_null(watch);
    file_watch_begin(watch);
    for (size_t i = 0; i < count; i++)
        assert_true(file_watch_add(watch, at(names[i])));
    file_watch_commit(watch);
}

void watch_file(const char *name)
{
    watch_files(&name, 1);
    assert_no_change();
}
