/*
 * file_watch: tells that one of a set of files has changed.
 *
 * inotify on the directories (of each step when a file is a symbolic link, so that Kubernetes' exchange of
 * `..data` is seen), and a look at the files themselves every few seconds, for file systems without such
 * events and for links further up. What counts is the files' state (device, inode, size, owner, mode, times),
 * not the event; where the time of change (st_ctime) is all that differs, the content decides. A change is
 * told only when it has come to rest (or has not for two seconds), so that a file is not read while it is
 * being written. One object belongs to one thread.
 */
#ifndef INTROSPECTD_FILE_WATCH_H
#define INTROSPECTD_FILE_WATCH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct file_watch file_watch_t;

/* NULL when memory cannot be had. Without inotify it works by looking alone. */
file_watch_t *file_watch_new(void) __attribute__((warn_unused_result));
void file_watch_free(file_watch_t *watch);

/*
 * A set is gathered while its files are being read: file_watch_begin, then file_watch_add for each path
 * before it is read (so that a change while it is read is seen), then one of the two ends. A path need not
 * exist.
 */
void file_watch_begin(file_watch_t *watch);
/* False when memory cannot be had; that path is then not watched. */
bool file_watch_add(file_watch_t *watch, const char *path);
/* The files were good: they are the set now. */
void file_watch_commit(file_watch_t *watch);
/* They were not: both the last good set and they are watched, until the next end. */
void file_watch_reject(file_watch_t *watch);

/* Tells every path of the last good set. */
typedef void file_watch_path_cb(void *data, const char *path);
void file_watch_each(const file_watch_t *watch, file_watch_path_cb *on_path, void *data);

/* Readable when file_watch_check should be called; -1 without inotify. */
int file_watch_fd(const file_watch_t *watch);

/*
 * Whether a file has changed since it was added or since the last true, and has been at rest for a moment.
 * *wait_ms is how long to wait at most until the next call. now_ms is clock_monotonic_ms.
 */
bool file_watch_check(file_watch_t *watch, int64_t now_ms, int *wait_ms);

#endif
