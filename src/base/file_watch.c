#include "introspectd/file_watch.h"

#include "introspectd/digest.h"
#include "introspectd/file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SETTLE_MS = 150,
    MAX_SETTLE_MS = 2000, /* a file that never rests must not hide the others */
    SWEEP_MS = 5000,
    BLIND_SWEEP_MS = 1000, /* when inotify does not cover every directory */
    MAX_LINKS = 40,        /* as many as Linux follows */
    EVENT_BYTES = 16384,
    MAX_COMPARED_BYTES = 16 * 1024 * 1024,
    DIRECTORY_EVENTS = IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                       IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR
};

typedef struct file_state {
    int error; /* why there is nothing else to tell */
    dev_t device;
    ino_t inode;
    off_t size;
    mode_t mode;
    uid_t owner;
    gid_t group;
    struct timespec modified;
    struct timespec changed;
    bool has_content;
    digest_t content;
} file_state_t;

typedef struct watched_file {
    char *path;
    file_state_t known; /* as the caller has been told */
    file_state_t seen;  /* at the last look */
} watched_file_t;

typedef struct file_list {
    watched_file_t *files;
    size_t count;
    size_t capacity;
} file_list_t;

/* inotify's watch descriptors; a directory has one, however it is called. */
typedef struct directory_list {
    int *directories;
    size_t count;
    size_t capacity;
} directory_list_t;

struct file_watch {
    int inotify_fd;       /* -1: none */
    digester_t *digester; /* NULL: none can be had */
    digest_seed_t seed;
    file_list_t good;
    file_list_t tried;
    file_list_t gathered;
    directory_list_t directories;
    bool covers_all; /* every directory that matters has a watch */
    bool is_look_due;
    bool is_settling;
    bool is_rejected; /* what was gathered last is in tried */
    int64_t stirred_at_ms;
    int64_t settling_since_ms;
    int64_t next_sweep_ms;
};

/* The places for one more element. */
static void *grow(void *elements, size_t count, size_t *capacity, size_t element_size)
{
    size_t more = *capacity == 0 ? 8 : 2 * *capacity;
    void *grown;

    if (count < *capacity)
        return elements;
    grown = realloc(elements, more * element_size);
    if (grown != NULL)
        *capacity = more;
    return grown;
}

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same_but_for_change_time(const file_state_t *a, const file_state_t *b)
{
    return a->error == b->error && a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->mode == b->mode && a->owner == b->owner && a->group == b->group &&
           is_same_time(&a->modified, &b->modified);
}

/* kubelet sets owner and mode of a volume's files anew every minute or so, to what they are: that moves the
 * time of change, which alone says nothing then. */
static bool is_same(const file_state_t *a, const file_state_t *b)
{
    if (!is_same_but_for_change_time(a, b))
        return false;
    return is_same_time(&a->changed, &b->changed) ||
           (a->has_content && b->has_content && digest_equal(&a->content, &b->content));
}

/* Puts the content's digest into state, where it can be had. */
static void digest_content(file_watch_t *watch, const char *path, file_state_t *state)
{
    char *content;
    size_t len;

    if (watch->digester == NULL || !S_ISREG(state->mode) ||
        file_read(path, MAX_COMPARED_BYTES, &content, &len) != 0)
        return;
    state->has_content =
        digest_keyed(watch->digester, &watch->seed, 0, (slice_t){content, len}, &state->content);
    file_free_secret(content, len);
}

/* before is what was seen of it last, or NULL: what has the same times is not read again. */
static file_state_t state_of(file_watch_t *watch, const char *path, const file_state_t *before)
{
    struct stat found;
    file_state_t state;

    memset(&state, 0, sizeof state);
    if (stat(path, &found) != 0) {
        state.error = errno;
        return state;
    }
    state.device = found.st_dev;
    state.inode = found.st_ino;
    state.size = found.st_size;
    state.mode = found.st_mode;
    state.owner = found.st_uid;
    state.group = found.st_gid;
    state.modified = found.st_mtim;
    state.changed = found.st_ctim;
    if (before != NULL && is_same_but_for_change_time(&state, before) &&
        is_same_time(&state.changed, &before->changed)) {
        state.has_content = before->has_content;
        state.content = before->content;
    } else {
        digest_content(watch, path, &state);
    }
    return state;
}

static bool list_add(file_watch_t *watch, file_list_t *list, const char *path)
{
    size_t size = strlen(path) + 1;
    watched_file_t *files = grow(list->files, list->count, &list->capacity, sizeof *files);
    watched_file_t *file;

    if (files == NULL)
        return false;
    list->files = files;
    file = &files[list->count];
    file->path = malloc(size);
    if (file->path == NULL)
        return false;
    memcpy(file->path, path, size);
    file->known = state_of(watch, path, NULL);
    file->seen = file->known;
    list->count++;
    return true;
}

static void list_clear(file_list_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->files[i].path);
    free(list->files);
    memset(list, 0, sizeof *list);
}

static void list_move(file_list_t *to, file_list_t *from)
{
    list_clear(to);
    *to = *from;
    memset(from, 0, sizeof *from);
}

/* Whether some file is not as it was at the last look. */
static bool list_look(file_watch_t *watch, file_list_t *list)
{
    bool is_stirred = false;

    for (size_t i = 0; i < list->count; i++) {
        watched_file_t *file = &list->files[i];
        file_state_t state = state_of(watch, file->path, &file->seen);

        if (!is_same(&state, &file->seen))
            is_stirred = true;
        file->seen = state;
    }
    return is_stirred;
}

static bool list_differs(const file_list_t *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (!is_same(&list->files[i].seen, &list->files[i].known))
            return true;
    }
    return false;
}

static void list_accept(file_list_t *list)
{
    for (size_t i = 0; i < list->count; i++)
        list->files[i].known = list->files[i].seen;
}

static bool contains(const directory_list_t *list, int directory)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->directories[i] == directory)
            return true;
    }
    return false;
}

/* Watches the directory that path is in. False when that cannot be. */
static bool watch_parent(int inotify_fd, const char *path, directory_list_t *list)
{
    char parent[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    int directory;
    int *directories;

    if (slash != NULL) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);

        memcpy(parent, path, len);
        parent[len] = '\0';
    }
    directory = inotify_add_watch(inotify_fd, parent, DIRECTORY_EVENTS);
    if (directory < 0)
        return false;
    if (contains(list, directory))
        return true;
    directories = grow(list->directories, list->count, &list->capacity, sizeof *directories);
    if (directories == NULL)
        return false;
    list->directories = directories;
    list->directories[list->count++] = directory;
    return true;
}

/* Puts what the link at path points to in the place of path. False when path is no link or leads too far. */
static bool follow_link(char path[PATH_MAX])
{
    char target[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t kept = slash == NULL ? 0 : (size_t)(slash - path) + 1;
    ssize_t got = readlink(path, target, sizeof target);
    size_t len;

    if (got <= 0)
        return false;
    len = (size_t)got;
    if (target[0] == '/')
        kept = 0;
    if (kept + len >= PATH_MAX)
        return false;
    memcpy(path + kept, target, len);
    path[kept + len] = '\0';
    return true;
}

/* Watches the directories of path and of each step when it is a symbolic link. */
static bool watch_steps(int inotify_fd, const char *path, directory_list_t *list)
{
    char step[PATH_MAX];
    size_t size = strlen(path) + 1;
    bool covers_all = true;
    int links = 0;

    if (size > sizeof step)
        return false;
    memcpy(step, path, size);
    do {
        if (!watch_parent(inotify_fd, step, list))
            covers_all = false;
    } while (follow_link(step) && links++ < MAX_LINKS);
    return covers_all;
}

static bool watch_list(int inotify_fd, const file_list_t *files, directory_list_t *list)
{
    bool covers_all = true;

    for (size_t i = 0; i < files->count; i++) {
        if (!watch_steps(inotify_fd, files->files[i].path, list))
            covers_all = false;
    }
    return covers_all;
}

/* A directory may be another one by now, at the same place: the watches follow the paths, not the inodes. */
static void watch_directories(file_watch_t *watch)
{
    directory_list_t fresh = {NULL, 0, 0};
    directory_list_t *old = &watch->directories;

    if (watch->inotify_fd < 0)
        return;
    watch->covers_all = watch_list(watch->inotify_fd, &watch->good, &fresh);
    if (!watch_list(watch->inotify_fd, &watch->tried, &fresh))
        watch->covers_all = false;
    for (size_t i = 0; i < old->count; i++) {
        if (!contains(&fresh, old->directories[i]))
            inotify_rm_watch(watch->inotify_fd, old->directories[i]);
    }
    free(old->directories);
    *old = fresh;
}

/* Takes what inotify has to tell; what it is does not matter, not even that some was lost. */
static bool drain(int inotify_fd)
{
    char events[EVENT_BYTES];
    bool has_events = false;

    if (inotify_fd < 0)
        return false;
    while (read(inotify_fd, events, sizeof events) > 0)
        has_events = true;
    return has_events;
}

static void look(file_watch_t *watch, int64_t now_ms)
{
    bool is_stirred;

    /* First the watches: a change behind them is then either looked at or told. */
    watch_directories(watch);
    is_stirred = list_look(watch, &watch->good);
    if (list_look(watch, &watch->tried))
        is_stirred = true;
    if (is_stirred)
        watch->stirred_at_ms = now_ms;
    bool was_settling = watch->is_settling;
    watch->is_settling = list_differs(&watch->good) || list_differs(&watch->tried);
    if (!was_settling)
        watch->settling_since_ms = now_ms;
    watch->is_look_due = false;
    watch->next_sweep_ms = now_ms + (watch->covers_all ? SWEEP_MS : BLIND_SWEEP_MS);
}

file_watch_t *file_watch_new(void)
{
    file_watch_t *watch = calloc(1, sizeof *watch);

    if (watch == NULL)
        return NULL;
    watch->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (digest_seed_random(&watch->seed))
        watch->digester = digester_new();
    watch->is_look_due = true;
    return watch;
}

void file_watch_free(file_watch_t *watch)
{
    if (watch == NULL)
        return;
    if (watch->inotify_fd >= 0)
        close(watch->inotify_fd);
    list_clear(&watch->good);
    list_clear(&watch->tried);
    list_clear(&watch->gathered);
    free(watch->directories.directories);
    digester_free(watch->digester);
    free(watch);
}

void file_watch_begin(file_watch_t *watch)
{
    list_clear(&watch->gathered);
    watch->is_rejected = false;
}

bool file_watch_add(file_watch_t *watch, const char *path)
{
    return list_add(watch, &watch->gathered, path);
}

void file_watch_commit(file_watch_t *watch)
{
    list_move(&watch->good, watch->is_rejected ? &watch->tried : &watch->gathered);
    list_clear(&watch->tried);
    watch_directories(watch);
    watch->is_look_due = true;
}

void file_watch_reject(file_watch_t *watch)
{
    if (watch->is_rejected)
        return;
    watch->is_rejected = true;
    list_move(&watch->tried, &watch->gathered);
    watch_directories(watch);
    watch->is_look_due = true;
}

void file_watch_each(const file_watch_t *watch, file_watch_path_cb *on_path, void *data)
{
    for (size_t i = 0; i < watch->good.count; i++)
        on_path(data, watch->good.files[i].path);
}

int file_watch_fd(const file_watch_t *watch)
{
    return watch->inotify_fd;
}

bool file_watch_check(file_watch_t *watch, int64_t now_ms, int *wait_ms)
{
    bool has_events = drain(watch->inotify_fd);
    bool is_change = false;

    if (has_events || watch->is_look_due || watch->is_settling || now_ms >= watch->next_sweep_ms)
        look(watch, now_ms);
    if (watch->is_settling && now_ms - watch->stirred_at_ms < SETTLE_MS &&
        now_ms - watch->settling_since_ms < MAX_SETTLE_MS) {
        *wait_ms = (int)(watch->stirred_at_ms + SETTLE_MS - now_ms);
        return false;
    }
    if (watch->is_settling) {
        list_accept(&watch->good);
        list_accept(&watch->tried);
        watch->is_settling = false;
        is_change = true;
    }
    *wait_ms = (int)(watch->next_sweep_ms - now_ms);
    return is_change;
}
