#include "privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((format(printf, 2, 3))) static bool fail(privileges_error_t *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof(error->text), format, arguments);
    va_end(arguments);
    return false;
}

const char *privileges_user_text(const config_user_t *user, char out[PRIVILEGES_USER_SIZE])
{
    snprintf(out, PRIVILEGES_USER_SIZE, "user %s%s(uid %u, gid %u)", user->name == NULL ? "" : user->name,
             user->name == NULL ? "" : " ", user->uid, user->gid);
    return out;
}

bool privileges_forbid_gain(privileges_error_t *error)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1L, 0L, 0L, 0L) == 0 ||
           fail(error, "no_new_privs cannot be set: %s", strerror(errno));
}

bool privileges_will_change(const config_user_t *user)
{
    return user->is_given && geteuid() == 0;
}

bool privileges_may_become(const config_user_t *user, privileges_error_t *error)
{
    if (!user->is_given || geteuid() == 0)
        return true;
    if (geteuid() == user->uid && getuid() == user->uid && (!user->has_gid || getegid() == user->gid))
        return true;
    char text[PRIVILEGES_USER_SIZE];
    return fail(error, "cannot become %s: started as uid %u, gid %u; start it as root, or as that user",
                privileges_user_text(user, text), geteuid(), getegid());
}

bool privileges_give_socket_file(const config_user_t *user, const char *path, privileges_error_t *error)
{
    struct stat status;
    /* What is looked at is what is given, whatever comes to lie at path meanwhile. */
    int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd == -1)
        return fail(error, "unix:%s: %s", path, strerror(errno));
    bool is_socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
    bool is_given = is_socket && fchownat(fd, "", user->uid, user->gid, AT_EMPTY_PATH) == 0;
    int reason = errno;
    close(fd);
    if (!is_given)
        return fail(error, "unix:%s: cannot be given to uid %u: %s", path, user->uid,
                    is_socket ? strerror(reason) : "not a socket");
    return true;
}

static bool has_ids(const config_user_t *user)
{
    uid_t uid[3];
    gid_t gid[3];
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
        return false;
    for (int i = 0; i < 3; i++) {
        if (uid[i] != user->uid || gid[i] != user->gid)
            return false;
    }
    return true;
}

/* The saved ids and capabilities could lead back. */
static bool can_be_root_again(const config_user_t *user)
{
    const uid_t same_uid = (uid_t)-1;
    const gid_t same_gid = (gid_t)-1;
    return setresuid(same_uid, 0, same_uid) == 0 || setuid(0) == 0 ||
           (user->gid != 0 && (setresgid(same_gid, 0, same_gid) == 0 || setgid(0) == 0));
}

/* Securebits of whoever started the process may have kept some. */
static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, sets) != 0)
        return true;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        if (sets[i].effective != 0 || sets[i].permitted != 0)
            return true;
    }
    return false;
}

bool privileges_become(const config_user_t *user, privileges_error_t *error)
{
    char text[PRIVILEGES_USER_SIZE];
    if (!privileges_will_change(user))
        return true;
    bool has_groups = user->name == NULL ? setgroups(0, NULL) == 0 : initgroups(user->name, user->gid) == 0;
    /* The user last: without root the others cannot be changed. */
    if (!has_groups || setresgid(user->gid, user->gid, user->gid) != 0 ||
        setresuid(user->uid, user->uid, user->uid) != 0)
        return fail(error, "cannot become %s: %s", privileges_user_text(user, text), strerror(errno));
    if (!has_ids(user) || can_be_root_again(user) || has_capabilities())
        return fail(error, "cannot become %s: root is not given up by that",
                    privileges_user_text(user, text));
    return true;
}
