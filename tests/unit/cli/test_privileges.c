#include "privileges.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* No system has them. */
enum { UID = 54321, GID = 54322 };

static const config_user_t USER = {.is_given = true, .uid = UID, .gid = GID, .has_gid = true};

/* In a process of its own: what it does cannot be undone. */
static void run_apart(int (*run)(void))
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(run());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int give_root_up(void)
{
    privileges_error_t error = {""};
    const gid_t groups[] = {1, 2, 3};
    if (setgroups(3, groups) != 0)
        return 1;
    if (!privileges_may_become(&USER, &error) || !privileges_will_change(&USER))
        return 2;
    if (!privileges_become(&USER, &error))
        return 3;
    uid_t uid[3];
    gid_t gid[3];
    if (getresuid(&uid[0], &uid[1], &uid[2]) != 0 || getresgid(&gid[0], &gid[1], &gid[2]) != 0)
        return 4;
    for (int i = 0; i < 3; i++) {
        if (uid[i] != UID || gid[i] != GID)
            return 5;
    }
    if (getgroups(0, NULL) != 0)
        return 6;
    if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
        return 7;
    /* Now it is that user, and has nothing to do. */
    if (!privileges_may_become(&USER, &error) || privileges_will_change(&USER) ||
        !privileges_become(&USER, &error))
        return 8;
    return 0;
}

static void test_become(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    run_apart(give_root_up);
}

/* Securebits that let capabilities outlive the change of user. */
static int keep_capabilities(void)
{
    privileges_error_t error = {""};
    if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) != 0)
        return 1;
    if (privileges_become(&USER, &error))
        return 2;
    return strcmp(error.text, "cannot become user (uid 54321, gid 54322): root is not given up by that") == 0
               ? 0
               : 3;
}

static void test_capabilities_that_stay_are_refused(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    run_apart(keep_capabilities);
}

static int be_another(void)
{
    privileges_error_t error = {""};
    config_user_t user = USER;
    if (geteuid() == 0 && (setresgid(GID, GID, GID) != 0 || setresuid(UID, UID, UID) != 0))
        return 1;
    user.uid = geteuid() + 1;
    if (privileges_may_become(&user, &error) || strchr(error.text, '\n') != NULL ||
        strstr(error.text, "cannot become user (uid ") != error.text)
        return 2;
    /* The group counts where it is given. */
    user.uid = geteuid();
    user.gid = getegid() + 1;
    if (privileges_may_become(&user, &error))
        return 3;
    user.has_gid = false;
    if (!privileges_may_become(&user, &error))
        return 4;
    /* And nobody has to become anything. */
    user = (config_user_t){.is_given = false};
    return privileges_may_become(&user, &error) && !privileges_will_change(&user) &&
                   privileges_become(&user, &error)
               ? 0
               : 5;
}

static void test_without_root(void **state)
{
    (void)state;
    run_apart(be_another);
}

static int forbid_gain(void)
{
    privileges_error_t error = {""};
    if (!privileges_forbid_gain(&error))
        return 1;
    return prctl(PR_GET_NO_NEW_PRIVS, 0L, 0L, 0L, 0L) == 1 ? 0 : 2;
}

static void test_no_new_privileges(void **state)
{
    (void)state;
    run_apart(forbid_gain);
}

static void bind_socket(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_not_equal(fd, -1);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
}

static void test_socket_file(void **state)
{
    (void)state;
    char directory[] = "/tmp/introspectd-privileges-XXXXXX";
    char path[128];
    char link[128];
    struct stat status;
    privileges_error_t error = {""};
    if (geteuid() != 0)
        skip();
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(link, sizeof(link), "%s/link", directory);
    bind_socket(path);
    assert_int_equal(symlink(path, link), 0);

    /* A link could lead anywhere. */
    assert_false(privileges_give_socket_file(&USER, link, &error));
    assert_non_null(strstr(error.text, "not a socket"));
    assert_int_equal(lstat(path, &status), 0);
    assert_int_equal(status.st_uid, 0);

    assert_true(privileges_give_socket_file(&USER, path, &error));
    assert_int_equal(lstat(path, &status), 0);
    assert_int_equal(status.st_uid, UID);
    assert_int_equal(status.st_gid, GID);

    assert_false(privileges_give_socket_file(&USER, directory, &error));
    assert_int_equal(unlink(path), 0);
    assert_false(privileges_give_socket_file(&USER, path, &error));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void test_user_text(void **state)
{
    (void)state;
    char text[PRIVILEGES_USER_SIZE];
    config_user_t user = USER;
    assert_string_equal(privileges_user_text(&user, text), "user (uid 54321, gid 54322)");
    user.name = (char *)"introspectd";
    assert_string_equal(privileges_user_text(&user, text), "user introspectd (uid 54321, gid 54322)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_become),       cmocka_unit_test(test_capabilities_that_stay_are_refused),
        cmocka_unit_test(test_without_root), cmocka_unit_test(test_no_new_privileges),
        cmocka_unit_test(test_socket_file),  cmocka_unit_test(test_user_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
