#include "introspectd/line_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static char directory[64];
static char path[96];

static int make_directory(void **state)
{
    (void)state;
    snprintf(directory, sizeof(directory), "/tmp/line-writer-open-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/log", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(directory);
}

static void assert_opens(const char *opened)
{
    int fd = line_writer_open(opened);
    assert_true(fd >= 0);
    close(fd);
}

static void test_files_and_streams(void **state)
{
    (void)state;
    assert_opens(path); /* created */
    assert_opens(path);
    assert_opens("/dev/null");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(line_writer_open(path), -1);
    assert_int_equal(errno, ENXIO);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_opens(path);
    close(reader);
}

static void test_block_device(void **state)
{
    (void)state;
    /* loop0 */
    if (mknod(path, S_IFBLK | 0600, makedev(7, 0)) != 0)
        skip();
    int fd = line_writer_open(path);
    int error = errno;
    assert_int_equal(fd, -1);
    /* Where there is no such device, or none may be used, there is nothing to refuse. */
    if (error != ENOTSUP)
        skip();
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, make_directory, remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(test_files_and_streams),
        FILE_TEST(test_block_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
