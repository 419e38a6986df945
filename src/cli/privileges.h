/*
 * privileges: what the process may do as to its user: root is given up once everything that only root may do
 * is done. Main thread only, while there is no other.
 */
#ifndef INTROSPECTD_CLI_PRIVILEGES_H
#define INTROSPECTD_CLI_PRIVILEGES_H

#include "introspectd/config.h"

/* What went wrong: one line, NUL-terminated. */
enum { PRIVILEGES_ERROR_SIZE = 256 };

typedef struct privileges_error {
    char text[PRIVILEGES_ERROR_SIZE];
} privileges_error_t;

/* "user NAME (uid 1000, gid 1000)", for people. */
enum { PRIVILEGES_USER_SIZE = 128 };

const char *privileges_user_text(const config_user_t *user, char out[PRIVILEGES_USER_SIZE]);

/* No new privileges for this process and all that it starts, ever (prctl(2), PR_SET_NO_NEW_PRIVS). */
bool privileges_forbid_gain(privileges_error_t *error) __attribute__((warn_unused_result));

/* Whether the process is user already, or root and so can become it. With no user given it need not. */
bool privileges_may_become(const config_user_t *user, privileges_error_t *error)
    __attribute__((warn_unused_result));

/* Whether privileges_become has something to do: a user is given, and the process is root. */
bool privileges_will_change(const config_user_t *user);

/*
 * Gives a socket's file to user, so that it can be removed without root. What lies at path and is no socket
 * is left alone: an error.
 */
bool privileges_give_socket_file(const config_user_t *user, const char *path, privileges_error_t *error)
    __attribute__((warn_unused_result));

/*
 * Becomes user for good: supplementary groups, group, user; then sees that no way leads back to root and that
 * no capability is left. On false the process may be anything in between, and must end. The kernel makes a
 * process that does this undumpable: call core_dumps_allow after.
 */
bool privileges_become(const config_user_t *user, privileges_error_t *error)
    __attribute__((warn_unused_result));

#endif
