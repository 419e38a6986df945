#include "syscall_filter.h"

#include "introspectd/line_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process under the filter ends with: the errno of its call, 0 when that was allowed. */
enum { NOT_INSTALLED = 200 };

/* Whether the filter is installed for a process that appends to files. */
static bool appends_to_files;

/* Gives what a system call gives. */
typedef long call_t(void);

static void *call_in_thread(void *data)
{
    call_t *call = *(call_t **)data;
    return call() == -1 ? (void *)(intptr_t)errno : NULL;
}

static int install_and_call(call_t *call, bool is_threads_call)
{
    char error[SYSCALL_FILTER_ERROR_SIZE];
    const struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) != 0 || !syscall_filter_install(appends_to_files, error))
        return NOT_INSTALLED;
    if (!is_threads_call)
        return call() == -1 ? errno : 0;
    pthread_t thread;
    void *result;
    if (pthread_create(&thread, NULL, call_in_thread, &call) != 0 || pthread_join(thread, &result) != 0)
        return NOT_INSTALLED + 1;
    return (int)(intptr_t)result;
}

/* The status of a process that installs the filter and makes the call. */
static int status_of(call_t *call, bool is_threads_call)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(install_and_call(call, is_threads_call));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void assert_answers(call_t *call, int expected)
{
    for (int is_threads_call = 0; is_threads_call < 2; is_threads_call++) {
        int status = status_of(call, is_threads_call);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != expected)
            fail_msg("wait status 0x%x, not exit status %d", (unsigned)status, expected);
    }
}

static void assert_kills(call_t *call)
{
    for (int is_threads_call = 0; is_threads_call < 2; is_threads_call++) {
        int status = status_of(call, is_threads_call);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("wait status 0x%x, not the end by SIGSYS", (unsigned)status);
    }
}

static long run_program(void)
{
    char *const arguments[] = {(char *)"true", NULL};
    return execve("/bin/true", arguments, NULL);
}

static long run_program_by_descriptor(void)
{
    char *const arguments[] = {(char *)"true", NULL};
    int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
    return fd == -1 ? -1 : syscall(SYS_execveat, fd, "", arguments, NULL, AT_EMPTY_PATH);
}

static long fork_by_libc(void)
{
    return fork();
}

/* What fork() is made of. */
static long fork_by_clone(void)
{
    return syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static long trace(void)
{
    return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static long become_root(void)
{
    return setuid(0);
}

static long take_new_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static long load_module(void)
{
    return syscall(SYS_init_module, NULL, 0UL, "");
}

static long mount_something(void)
{
    return syscall(SYS_mount, "none", "/", "tmpfs", 0UL, NULL);
}

static void test_what_ends_the_process(void **state)
{
    (void)state;
    call_t *const calls[] = {run_program, run_program_by_descriptor, fork_by_libc, fork_by_clone,  trace,
                             become_root, take_new_namespace,        load_module,  mount_something};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_kills(calls[i]);
}

static long write_file(void)
{
    return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static long change_file(void)
{
    return open("/dev/null", O_RDWR | O_CLOEXEC);
}

static long create_file(void)
{
    return open("introspectd-no-such-file", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
}

static long truncate_file(void)
{
    return open("/dev/null", O_RDONLY | O_TRUNC | O_CLOEXEC);
}

static long change_mode(void)
{
    return syscall(SYS_fchmodat, AT_FDCWD, "introspectd-no-such-file", 0777);
}

static long signal_another(void)
{
    return kill(getppid(), 0);
}

static long open_raw_socket(void)
{
    return socket(AF_PACKET, SOCK_RAW, 0);
}

static long allow_all_again(void)
{
    return prctl(PR_SET_SECCOMP, 0L, 0L, 0L, 0L);
}

static long type_into_terminal(void)
{
    char c = 'x';
    return ioctl(0, TIOCSTI, &c);
}

static long map_writable_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? -1 : 0;
}

static long make_memory_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return page == MAP_FAILED ? 0 : mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static long unknown_call(void)
{
    return syscall(9999);
}

static void test_what_is_refused(void **state)
{
    (void)state;
    call_t *const calls[] = {write_file,         change_file,       create_file,      truncate_file,
                             change_mode,        signal_another,    open_raw_socket,  allow_all_again,
                             type_into_terminal, map_writable_code, make_memory_code, unknown_call};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_answers(calls[i], EPERM);
}

static long open_log(void)
{
    return line_writer_open("/dev/null");
}

static long open_log_for_everybody(void)
{
    return open("/dev/null", LINE_WRITER_OPEN_FLAGS, 0666);
}

static long open_log_as_program(void)
{
    return open("/dev/null", LINE_WRITER_OPEN_FLAGS, 0750);
}

static long open_log_to_overwrite(void)
{
    return open("/dev/null", LINE_WRITER_OPEN_FLAGS & ~O_APPEND, LINE_WRITER_OPEN_MODE);
}

static long open_log_to_read(void)
{
    return open("/dev/null", (LINE_WRITER_OPEN_FLAGS & ~O_ACCMODE) | O_RDWR, LINE_WRITER_OPEN_MODE);
}

static long open_log_to_shorten(void)
{
    return open("/dev/null", LINE_WRITER_OPEN_FLAGS | O_TRUNC, LINE_WRITER_OPEN_MODE);
}

static void test_appending_is_refused_without_a_log(void **state)
{
    (void)state;
    assert_answers(open_log, EPERM);
}

/* One way of opening a file for writing, and no other. */
static void test_appending(void **state)
{
    (void)state;
    call_t *const refused[] = {write_file,          change_file,           create_file,
                               truncate_file,       open_log_to_overwrite, open_log_for_everybody,
                               open_log_as_program, open_log_to_read,      open_log_to_shorten};
    appends_to_files = true;
    assert_answers(open_log, 0);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_answers(refused[i], EPERM);
    appends_to_files = false;
}

static long clone3_itself(void)
{
    return syscall(SYS_clone3, NULL, 0UL);
}

static void test_clone3_is_said_to_be_missing(void **state)
{
    (void)state;
    assert_answers(clone3_itself, ENOSYS);
}

static long read_file(void)
{
    char byte;
    int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
    return fd == -1 || read(fd, &byte, 1) != 1 ? -1 : close(fd);
}

static long use_memory(void)
{
    for (size_t size = 1; size < (64U << 20); size *= 4) {
        char *bytes = malloc(size);
        if (bytes == NULL)
            return -1;
        memset(bytes, 1, size);
        char *more = realloc(bytes, size * 2);
        if (more == NULL)
            return -1;
        free(more);
    }
    return 0;
}

static long listen_anywhere(void)
{
    const int families[] = {AF_UNIX, AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        int fd = socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
        /* Not every machine has IPv6; unbound, a Unix socket cannot listen. */
        if (fd == -1 && errno != EAFNOSUPPORT)
            return -1;
        if (fd != -1 && families[i] != AF_UNIX && listen(fd, 1) != 0)
            return -1;
        close(fd);
    }
    return 0;
}

static long resolve_name(void)
{
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    errno = 0;
    if (getaddrinfo("localhost", "443", &wanted, &found) != 0)
        return -1;
    freeaddrinfo(found);
    return 0;
}

static long watch_directory(void)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    /* The one that serves is there before the filter. */
    return fd == -1 && errno == EPERM ? 0 : -1;
}

static long limit_core_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CORE, &limit) != 0 || setrlimit(RLIMIT_CORE, &limit) != 0)
        return -1;
    return prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
}

static void test_what_serving_needs(void **state)
{
    (void)state;
    call_t *const calls[] = {read_file,    use_memory,      listen_anywhere,
                             resolve_name, watch_directory, limit_core_files};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        assert_answers(calls[i], 0);
}

static long end_by_abort(void)
{
    abort();
}

/* So that a failed assertion is seen as what it is. */
static void test_abort_is_an_abort(void **state)
{
    (void)state;
    int status = status_of(end_by_abort, false);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* The first one forbids another. */
static int install_twice(void)
{
    char error[SYSCALL_FILTER_ERROR_SIZE] = "";
    if (!syscall_filter_install(false, error) || error[0] != '\0')
        return 1;
    if (syscall_filter_install(false, error))
        return 2;
    return strcmp(error, "seccomp: the filter cannot be installed: Operation not permitted") == 0 ? 0 : 3;
}

static void test_failure_is_told(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(install_twice());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_ends_the_process),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_appending_is_refused_without_a_log),
        cmocka_unit_test(test_appending),
        cmocka_unit_test(test_clone3_is_said_to_be_missing),
        cmocka_unit_test(test_what_serving_needs),
        cmocka_unit_test(test_abort_is_an_abort),
        cmocka_unit_test(test_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
