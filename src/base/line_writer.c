#include "introspectd/line_writer.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long a descriptor that takes nothing is waited for before looking around. */
enum { STUCK_TURN_MS = 50 };

typedef struct lines {
    char *bytes;
    size_t len;
} lines_t;

struct line_writer {
    line_writer_settings_t settings;
    char name[16];
    char *path;
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows up to `writing` */
    pthread_cond_t wake;  /* the thread */
    pthread_cond_t done;  /* who waits for `handled`, or for the end */
    lines_t waiting;
    uint64_t pushed;  /* lines that found room */
    bool has_refused; /* a line, since the thread last looked */
    bool is_hurried;
    bool is_to_reopen;
    bool is_ending;
    bool has_ended;
    _Atomic bool is_abandoned; /* written under the lock */
    _Atomic uint64_t handled;  /* lines of those pushed: written, or lost for good */
    /* The thread's own. */
    lines_t writing;
    int fd;
    bool is_in_line; /* the descriptor has the beginning of a line, whose rest could not be written */
};

int line_writer_open(const char *path)
{
    int fd = open(path, LINE_WRITER_OPEN_FLAGS, LINE_WRITER_OPEN_MODE);
    struct stat status;
    if (fd == -1)
        return -1;
    int error = fstat(fd, &status) == 0 ? ENOTSUP : errno;
    if (error == ENOTSUP && (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static void count_lost(const line_writer_t *writer, size_t count)
{
    atomic_fetch_add_explicit(writer->settings.lost, count, memory_order_relaxed);
}

static void tell(const line_writer_t *writer, line_writer_event_t event, int error)
{
    /* Whoever abandoned it may be gone. */
    if (writer->settings.on_event != NULL && !atomic_load(&writer->is_abandoned))
        writer->settings.on_event(writer->settings.data, event, error);
}

static struct timespec time_from_now(int wait_ms)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += wait_ms / 1000;
    time.tv_nsec += (long)(wait_ms % 1000) * 1000000;
    if (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    return time;
}

/* Waits until the descriptor may take something. False when the writer was abandoned meanwhile. */
static bool wait_for_room(line_writer_t *writer)
{
    struct pollfd writable = {.fd = writer->fd, .events = POLLOUT};
    (void)poll(&writable, 1, STUCK_TURN_MS);
    pthread_mutex_lock(&writer->lock);
    bool has_refused = writer->has_refused;
    pthread_mutex_unlock(&writer->lock);
    if (has_refused)
        tell(writer, LINE_WRITER_FULL, 0);
    return !atomic_load(&writer->is_abandoned);
}

/* Writes what goes out at once, and gives 0, or an errno value. */
static int write_some(line_writer_t *writer, slice_t bytes, size_t *written)
{
    for (;;) {
        ssize_t n = write(writer->fd, bytes.base, bytes.len);
        if (n > 0) {
            *written = (size_t)n;
            return 0;
        }
        if (n == 0)
            return EIO;
        if (errno == EAGAIN && !wait_for_room(writer))
            return ECANCELED;
        if (errno != EAGAIN && errno != EINTR)
            return errno;
    }
}

static size_t count_lines(slice_t bytes)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes.len; i++)
        count += bytes.base[i] == '\n';
    return count;
}

static int write_lines(line_writer_t *writer, slice_t *rest)
{
    size_t written = 0;
    int error = 0;
    if (writer->is_in_line) {
        error = write_some(writer, slice_of("\n"), &written);
        writer->is_in_line = error != 0;
    }
    while (error == 0 && rest->len > 0) {
        error = write_some(writer, *rest, &written);
        if (error != 0)
            break;
        writer->is_in_line = rest->base[written - 1] != '\n';
        atomic_fetch_add(&writer->handled, count_lines((slice_t){rest->base, written}));
        *rest = (slice_t){rest->base + written, rest->len - written};
    }
    return error;
}

/* What cannot be written is lost; the rest of a line that was begun too, so that none is put together of two.
 */
static void write_batch(line_writer_t *writer)
{
    slice_t rest = {writer->writing.bytes, writer->writing.len};
    int error = write_lines(writer, &rest);
    /* Once it is abandoned, whoever did that has counted. */
    if (error == 0 || atomic_load(&writer->is_abandoned))
        return;
    size_t lost = count_lines(rest);
    count_lost(writer, lost);
    atomic_fetch_add(&writer->handled, lost);
    tell(writer, LINE_WRITER_WRITE_FAILED, error);
}

static void reopen(line_writer_t *writer)
{
    int fd = line_writer_open(writer->path);
    if (fd == -1) {
        tell(writer, LINE_WRITER_REOPEN_FAILED, errno);
        return;
    }
    close(writer->fd);
    writer->fd = fd;
    writer->is_in_line = false;
    tell(writer, LINE_WRITER_REOPENED, 0);
}

static bool has_work(const line_writer_t *writer)
{
    return writer->waiting.len > 0 || writer->is_to_reopen || writer->is_ending;
}

/* Under the lock: waits for work, and then for more of it. */
static void wait_for_work(line_writer_t *writer)
{
    while (!has_work(writer))
        pthread_cond_wait(&writer->wake, &writer->lock);
    struct timespec until = time_from_now(writer->settings.gather_ms);
    while (writer->settings.gather_ms > 0 && !writer->is_hurried && !writer->is_to_reopen &&
           !writer->is_ending && pthread_cond_timedwait(&writer->wake, &writer->lock, &until) == 0)
        ;
}

/* One round of the thread, which begins and ends under the lock. */
static void run_round(line_writer_t *writer)
{
    lines_t empty = {writer->writing.bytes, 0};
    writer->writing = writer->waiting;
    writer->waiting = empty;
    writer->is_hurried = false;
    bool is_to_reopen = writer->is_to_reopen;
    bool has_refused = writer->has_refused;
    writer->is_to_reopen = writer->has_refused = false;
    pthread_mutex_unlock(&writer->lock);

    write_batch(writer);
    if (has_refused)
        tell(writer, LINE_WRITER_LOST, 0);
    if (is_to_reopen)
        reopen(writer);

    pthread_mutex_lock(&writer->lock);
    pthread_cond_broadcast(&writer->done);
}

static void free_writer(line_writer_t *writer)
{
    if (writer->path != NULL && writer->fd != -1)
        close(writer->fd);
    pthread_cond_destroy(&writer->wake);
    pthread_cond_destroy(&writer->done);
    pthread_mutex_destroy(&writer->lock);
    free(writer->waiting.bytes);
    free(writer->writing.bytes);
    free(writer->path);
    free(writer);
}

static void *run(void *data)
{
    line_writer_t *writer = data;
    pthread_setname_np(pthread_self(), writer->name);
    pthread_mutex_lock(&writer->lock);
    while (!writer->is_abandoned && (!writer->is_ending || writer->waiting.len > 0)) {
        wait_for_work(writer);
        run_round(writer);
    }
    writer->has_ended = true;
    bool is_abandoned = writer->is_abandoned;
    pthread_cond_broadcast(&writer->done);
    pthread_mutex_unlock(&writer->lock);
    if (is_abandoned)
        free_writer(writer);
    return NULL;
}

static bool start_thread(line_writer_t *writer)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    /* Whatever signal comes is for the other threads; and a file above its limit is an error, not the end. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error == 0;
}

line_writer_t *line_writer_new(const line_writer_settings_t *settings)
{
    line_writer_t *writer = calloc(1, sizeof(*writer));
    if (writer == NULL)
        return NULL;
    writer->settings = *settings;
    writer->fd = -1; /* the caller's until all is there */
    snprintf(writer->name, sizeof(writer->name), "%s", settings->name);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&writer->lock, NULL);
    pthread_cond_init(&writer->wake, &monotonic);
    pthread_cond_init(&writer->done, &monotonic);
    pthread_condattr_destroy(&monotonic);
    writer->waiting.bytes = malloc(settings->max_bytes);
    writer->writing.bytes = malloc(settings->max_bytes);
    writer->path = settings->path == NULL ? NULL : strdup(settings->path);
    bool is_complete = writer->waiting.bytes != NULL && writer->writing.bytes != NULL &&
                       (settings->path == NULL || writer->path != NULL);
    if (is_complete) {
        writer->fd = settings->fd;
        is_complete = start_thread(writer);
    }
    if (!is_complete) {
        writer->fd = -1;
        free_writer(writer);
        return NULL;
    }
    return writer;
}

/* max_bytes: that may wait, this line included. */
static bool push(line_writer_t *writer, slice_t line, size_t max_bytes)
{
    lines_t *waiting = &writer->waiting;
    pthread_mutex_lock(&writer->lock);
    bool has_room = waiting->len <= max_bytes && line.len <= max_bytes - waiting->len;
    bool is_to_wake = false;
    if (has_room) {
        is_to_wake = waiting->len == 0;
        memcpy(waiting->bytes + waiting->len, line.base, line.len);
        waiting->len += line.len;
        writer->pushed++;
    }
    writer->has_refused = writer->has_refused || !has_room;
    if (!writer->is_hurried && waiting->len > writer->settings.max_bytes / 2)
        is_to_wake = writer->is_hurried = true;
    pthread_mutex_unlock(&writer->lock);
    if (is_to_wake)
        pthread_cond_signal(&writer->wake);
    return has_room;
}

bool line_writer_push(line_writer_t *writer, slice_t line)
{
    return push(writer, line, writer->settings.max_bytes);
}

bool line_writer_push_minor(line_writer_t *writer, slice_t line)
{
    return push(writer, line, writer->settings.max_bytes / 4 * 3);
}

void line_writer_reopen(line_writer_t *writer)
{
    if (writer->path == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->is_to_reopen = true;
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_signal(&writer->wake);
}

/* Under the lock. */
static bool wait_until_handled(line_writer_t *writer, int timeout_ms)
{
    struct timespec until = time_from_now(timeout_ms);
    uint64_t pushed = writer->pushed;
    writer->is_hurried = true;
    pthread_cond_signal(&writer->wake);
    while (atomic_load(&writer->handled) < pushed &&
           pthread_cond_timedwait(&writer->done, &writer->lock, &until) != ETIMEDOUT)
        ;
    return atomic_load(&writer->handled) >= pushed;
}

bool line_writer_flush(line_writer_t *writer, int timeout_ms)
{
    pthread_mutex_lock(&writer->lock);
    bool is_flushed = wait_until_handled(writer, timeout_ms);
    pthread_mutex_unlock(&writer->lock);
    return is_flushed;
}

bool line_writer_end(line_writer_t *take_writer, int timeout_ms)
{
    line_writer_t *writer = take_writer;
    pthread_mutex_lock(&writer->lock);
    writer->is_ending = true;
    bool is_flushed = wait_until_handled(writer, timeout_ms);
    struct timespec until = time_from_now(timeout_ms);
    while (is_flushed && !writer->has_ended &&
           pthread_cond_timedwait(&writer->done, &writer->lock, &until) != ETIMEDOUT)
        ;
    bool has_ended = writer->has_ended;
    if (!has_ended) {
        atomic_store(&writer->is_abandoned, true);
        count_lost(writer, writer->pushed - atomic_load(&writer->handled));
    }
    pthread_t thread = writer->thread;
    pthread_mutex_unlock(&writer->lock);
    if (!has_ended) {
        pthread_detach(thread);
        return false;
    }
    pthread_join(thread, NULL);
    free_writer(writer);
    return true;
}
