/*
 * syscall_filter: `seccomp: true`: an allow-list of system calls (seccomp(2), by libseccomp), for good and
 * for every thread. Not named seccomp.h, which is the library's.
 *
 * There are three answers to a call that is not on the list. What only an intruder would call (execve, fork,
 * ptrace, mount, setuid...) ends the process by SIGSYS: nothing that it could do after is better. Anything
 * else gets EPERM: a library that tries something new in a rare case, after an update perhaps, mostly has
 * another way or reports an error, and that must not end the service for every caller; nothing is done either
 * way, and the kernel's audit log has a line. clone3 gets ENOSYS, whereupon the C library takes clone, whose
 * flags a filter can read.
 */
#ifndef INTROSPECTD_CLI_SYSCALL_FILTER_H
#define INTROSPECTD_CLI_SYSCALL_FILTER_H

#include <stdbool.h>

enum { SYSCALL_FILTER_ERROR_SIZE = 128 };

/*
 * Sets no_new_privs and installs the filter, once. Reading files, binding and connecting
 * stay allowed, for reloads and fetched keys. appends_to_files: so does opening a file as line_writer_open
 * does, exactly; without it none can be opened for writing. False with *error, of that size, filled: one
 * line; there is then no filter. Sanitizers need more than the list has.
 */
bool syscall_filter_install(bool appends_to_files, char *error) __attribute__((warn_unused_result));

#endif
