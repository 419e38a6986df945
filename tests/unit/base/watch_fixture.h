/*
 * watch_fixture: a folder of a test's own, the files in it, and a file_watch whose time the test chooses.
 * Linked with --wrap=inotify_init1.
 */
#ifndef WATCH_FIXTURE_H
#define WATCH_FIXTURE_H

#include "introspectd/file_watch.h"

#include <stddef.h>

enum { SETTLE_MS = 150, SWEEP_MS = 5000, BLIND_SWEEP_MS = 1000 };

/* The test's; it is freed when the test ends. */
extern file_watch_t *watch;
extern int64_t now_ms;
/* What file_watch_new is to find; true when a test begins. */
extern bool has_inotify;
extern char folder[64];

int make_folder(void **state);
int remove_folder(void **state);

#define WATCH_TEST(function) cmocka_unit_test_setup_teardown(function, make_folder, remove_folder)

/* The path of name in the folder, in one of a few buffers that take turns. */
const char *at(const char *name);
void write_file(const char *name, const char *text);
/* Moves a new file over it. */
void replace_file(const char *name, const char *text);
void remove_file(const char *name);
void make_directory(const char *name);
void make_link(const char *name, const char *target);
/* As kubelet does: a new symbolic link is moved over the old one. */
void exchange_link(const char *name, const char *target);

/* Makes the named files the good set of watch, which is made when there is none. */
void watch_files(const char *const *names, size_t count);
/* The same with one file, and nothing has changed since. */
void watch_file(const char *name);

/* Whether the descriptor is readable. */
bool is_told(void);
/* The next check finds no change and wants the next one in ms. */
void assert_quiet_for(int ms);
/* Nothing has changed, neither now nor after a whole sweep. */
void assert_no_change(void);
/* A change that the next look sees: it must rest first, is told once, and that is that. */
void assert_change_settles(void);
/* The same, and inotify told of it. */
void assert_change_is_told(void);
/* A change that only the sweep finds, sweep_ms after the one before it at the latest. */
void assert_change_is_swept(int sweep_ms);

#endif
