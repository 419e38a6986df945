#include "syscall_filter.h"

#include "introspectd/line_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Whatever their arguments are. Names that an architecture does not have are left out by the library. */
static const int ALLOWED[] = {
    /* memory; mmap and mprotect are below */
    SCMP_SYS(brk), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(munmap),
    /* threads; clone is below */
    SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(futex), SCMP_SYS(getcpu), SCMP_SYS(gettid),
    SCMP_SYS(membarrier), SCMP_SYS(rseq), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list),
    /* signals */
    SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    /* descriptors */
    SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(epoll_create), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2), SCMP_SYS(fcntl), SCMP_SYS(lseek),
    SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(pread64), SCMP_SYS(pselect6),
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(select), SCMP_SYS(write), SCMP_SYS(writev),
    /* sockets; socket is below */
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(getpeername),
    SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(listen), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown), SCMP_SYS(socketpair),
    /* files: their state, what changes them, and the file of a Unix socket; openat is below */
    SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fstat), SCMP_SYS(getcwd),
    SCMP_SYS(getdents64), SCMP_SYS(inotify_add_watch), SCMP_SYS(inotify_rm_watch), SCMP_SYS(lstat),
    SCMP_SYS(newfstatat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat), SCMP_SYS(statx),
    SCMP_SYS(unlink), SCMP_SYS(unlinkat),
    /* time, random numbers, and what the C library asks about the machine */
    SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep), SCMP_SYS(getegid),
    SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(getrusage),
    SCMP_SYS(gettimeofday), SCMP_SYS(getuid), SCMP_SYS(nanosleep), SCMP_SYS(sysinfo), SCMP_SYS(time),
    SCMP_SYS(uname)};

/* Nothing here calls them, and no library does on its own account. */
static const int DEADLY[] = {SCMP_SYS(execve),
                             SCMP_SYS(execveat),
                             SCMP_SYS(fork),
                             SCMP_SYS(vfork),
                             SCMP_SYS(ptrace),
                             SCMP_SYS(process_vm_readv),
                             SCMP_SYS(pidfd_getfd),
                             SCMP_SYS(process_vm_writev),
                             SCMP_SYS(init_module),
                             SCMP_SYS(finit_module),
                             SCMP_SYS(delete_module),
                             SCMP_SYS(kexec_load),
                             SCMP_SYS(kexec_file_load),
                             SCMP_SYS(reboot),
                             SCMP_SYS(mount),
                             SCMP_SYS(umount2),
                             SCMP_SYS(move_mount),
                             SCMP_SYS(open_tree),
                             SCMP_SYS(fsopen),
                             SCMP_SYS(pivot_root),
                             SCMP_SYS(chroot),
                             SCMP_SYS(setns),
                             SCMP_SYS(unshare),
                             SCMP_SYS(bpf),
                             SCMP_SYS(userfaultfd),
                             SCMP_SYS(io_uring_setup),
                             SCMP_SYS(capset),
                             SCMP_SYS(setuid),
                             SCMP_SYS(setreuid),
                             SCMP_SYS(setresuid),
                             SCMP_SYS(setgid),
                             SCMP_SYS(setregid),
                             SCMP_SYS(setresgid),
                             SCMP_SYS(setfsuid),
                             SCMP_SYS(setfsgid),
                             SCMP_SYS(setgroups)};

/* One value that an argument may have, or what may be in its bits; each row is a way by itself. */
typedef struct allowed_argument {
    int number;
    unsigned place;
    enum scmp_compare compare;
    scmp_datum_t first;  /* the value, or the mask */
    scmp_datum_t second; /* what is left under the mask */
} allowed_argument_t;

static const allowed_argument_t ARGUMENTS[] = {
    /* Memory is never writable and executable, so that what runs comes from files. None can be written, but
       where add_appending lets a log's be. The loader of NSS's modules needs no more. */
    {SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
    {SCMP_SYS(mmap), 2, SCMP_CMP_MASKED_EQ, PROT_WRITE, 0},
    {SCMP_SYS(mprotect), 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0},
    {SCMP_SYS(clone), 0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD},
    {SCMP_SYS(openat), 2, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
    {SCMP_SYS(open), 1, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY},
    {SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, FIONREAD, 0},
    {SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, FIONBIO, 0},
    {SCMP_SYS(ioctl), 1, SCMP_CMP_EQ, TCGETS, 0},
    {SCMP_SYS(socket), 0, SCMP_CMP_EQ, AF_UNIX, 0},
    {SCMP_SYS(socket), 0, SCMP_CMP_EQ, AF_INET, 0},
    {SCMP_SYS(socket), 0, SCMP_CMP_EQ, AF_INET6, 0},
    {SCMP_SYS(prctl), 0, SCMP_CMP_EQ, PR_GET_DUMPABLE, 0},
    {SCMP_SYS(prctl), 0, SCMP_CMP_EQ, PR_SET_DUMPABLE, 0},
    {SCMP_SYS(prctl), 0, SCMP_CMP_EQ, PR_SET_NAME, 0},
    /* of this process: core files, at a reload */
    {SCMP_SYS(prlimit64), 0, SCMP_CMP_EQ, 0, 0},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int add_calls(scmp_filter_ctx filter)
{
    int result = 0;
    for (size_t i = 0; result == 0 && i < COUNT(ALLOWED); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, ALLOWED[i], 0);
    for (size_t i = 0; result == 0 && i < COUNT(DEADLY); i++)
        result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, DEADLY[i], 0);
    for (size_t i = 0; result == 0 && i < COUNT(ARGUMENTS); i++) {
        const allowed_argument_t *row = &ARGUMENTS[i];
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, row->number, 1,
                                  SCMP_CMP64(row->place, row->compare, row->first, row->second));
    }
    return result;
}

/* Those whose arguments are looked at in more than one place, or answered otherwise. */
static int add_special(scmp_filter_ctx filter)
{
    int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    /* A clone without the flag is a fork. */
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
    /* The addresses of this machine, which getaddrinfo() sorts by. */
    if (result == 0)
        result =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK, 0),
                             SCMP_A2(SCMP_CMP_EQ, NETLINK_ROUTE, 0));
    /* abort() */
    if (result == 0)
        result = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
    return result;
}

/*
 * Only to append, and never to shorten, change or remove what is there: flags and mode must be the very ones
 * of line_writer_open. Of the path the filter sees nothing. So code that has been taken over may add to files
 * that the process's user may write to, create more, and run what it wrote there; where that is too much, the
 * log goes to standard output.
 */
static int add_appending(scmp_filter_ctx filter)
{
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 2,
                            SCMP_A2(SCMP_CMP_EQ, LINE_WRITER_OPEN_FLAGS, 0),
                            SCMP_A3(SCMP_CMP_EQ, LINE_WRITER_OPEN_MODE, 0));
}

static int set_attributes(scmp_filter_ctx filter)
{
    /* Where the kernel cannot write to the audit log, or the library cannot sort the calls, the filter is as
     * good. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    int result = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    /* Also for threads that a library may have started by now. */
    return result != 0 ? result : seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
}

bool syscall_filter_install(bool appends_to_files, char *error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int result = filter == NULL ? -ENOMEM : set_attributes(filter);
    if (result == 0)
        result = add_calls(filter);
    if (result == 0)
        result = add_special(filter);
    if (result == 0 && appends_to_files)
        result = add_appending(filter);
    if (result == 0) {
        /* Of the kernel's errors the library tells few, and calls the others EFAULT. */
        errno = 0;
        result = seccomp_load(filter);
        if (result != 0 && errno != 0)
            result = -errno;
    }
    seccomp_release(filter);
    if (result != 0)
        snprintf(error, SYSCALL_FILTER_ERROR_SIZE, "seccomp: the filter cannot be installed: %s",
                 strerror(-result));
    return result == 0;
}
