#include "introspectd/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The linker dictates the names. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

/* The number of allocations that still succeed; negative: all. */
static int allocations_left = -1;

void *__wrap_malloc(size_t size)
{
    if (allocations_left == 0)
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return __real_malloc(size);
}

static char folder[] = "/tmp/introspectd-file-XXXXXX";
static char path[sizeof folder + 16];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* Bytes that differ from place to place, so that a piece put in the wrong place shows. */
static char pattern(size_t i)
{
    return (char)(unsigned char)(i * 31 + i / 251);
}

static void write_file(size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    for (size_t i = 0; i < len; i++)
        fputc(pattern(i), file);
    assert_int_equal(fclose(file), 0);
}

static void assert_reads(size_t len, size_t max_bytes)
{
    char *text = NULL;
    size_t text_len = SIZE_MAX;

    write_file(len);
    assert_int_equal(file_read(path, max_bytes, &text, &text_len), 0);
    assert_int_equal(text_len, len);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(text[i], pattern(i));
    assert_int_equal(text[len], '\0');
    file_free_secret(text, text_len);
}

static void assert_fails(const char *at, size_t max_bytes, int error)
{
    char untouched;
    char *text = &untouched;
    size_t text_len = 77;

    assert_int_equal(file_read(at, max_bytes, &text, &text_len), error);
    assert_ptr_equal(text, &untouched);
    assert_int_equal(text_len, 77);
}

static void reads_files_of_all_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 8191, 8192, 8193, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_reads(sizes[i], 1 << 20);
        assert_reads(sizes[i], SIZE_MAX);
    }
}

static void the_bound_is_exact(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8192, 100000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_reads(sizes[i], sizes[i]);
        write_file(sizes[i] + 1);
        assert_fails(path, sizes[i], EFBIG);
    }
}

static void an_endless_file_is_too_big(void **state)
{
    (void)state;
    assert_fails("/dev/zero", 0, EFBIG);
    assert_fails("/dev/zero", 1 << 20, EFBIG);
}

static void reads_a_file_that_tells_no_size(void **state)
{
    char *text = NULL;
    size_t text_len = 0;

    (void)state;
    assert_int_equal(file_read("/proc/self/stat", 1 << 16, &text, &text_len), 0);
    assert_true(text_len > 0);
    assert_int_equal(strlen(text), text_len);
    free(text);
}

static void reads_a_pipe_in_pieces(void **state)
{
    int ends[2];
    char name[64];
    char *text = NULL;
    size_t text_len = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "secret", 6), 6);
    assert_int_equal(close(ends[1]), 0);
    snprintf(name, sizeof name, "/proc/self/fd/%d", ends[0]);
    assert_int_equal(file_read(name, 6, &text, &text_len), 0);
    close(ends[0]);
    assert_int_equal(text_len, 6);
    assert_string_equal(text, "secret");
    file_free_secret(text, text_len);
}

static void reads_an_open_descriptor_and_leaves_it_open(void **state)
{
    int ends[2];
    char *read_back;
    size_t len;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "token\n", 6), 6);
    close(ends[1]);
    assert_int_equal(file_read_fd(ends[0], 6, &read_back, &len), 0);
    assert_int_equal(len, 6);
    assert_string_equal(read_back, "token\n");
    file_free_secret(read_back, len);
    assert_int_equal(fcntl(ends[0], F_GETFD), 0);
    close(ends[0]);
    assert_int_equal(file_read_fd(ends[0], 6, &read_back, &len), EBADF);
}

static void tells_why_a_file_cannot_be_read(void **state)
{
    char absent[sizeof folder + 16];

    (void)state;
    snprintf(absent, sizeof absent, "%s/absent", folder);
    write_file(1);
    assert_fails(absent, 100, ENOENT);
    assert_fails(folder, 100, EISDIR);
    assert_fails("", 100, ENOENT);
    snprintf(absent, sizeof absent, "%s/file/x", folder);
    assert_fails(absent, 100, ENOTDIR);
}

static void an_unreadable_file_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0)
        skip();
    write_file(1);
    assert_int_equal(chmod(path, 0), 0);
    assert_fails(path, 100, EACCES);
    assert_int_equal(chmod(path, 0600), 0);
}

static void leaves_no_descriptor_open(void **state)
{
    int before, after;

    (void)state;
    write_file(10);
    before = dup(STDERR_FILENO);
    close(before);
    for (int i = 0; i < 10; i++) {
        assert_fails(path, 5, EFBIG);
        assert_fails(folder, 5, EISDIR);
        assert_reads(10, 10);
    }
    after = dup(STDERR_FILENO);
    close(after);
    assert_int_equal(before, after);
}

static void a_failed_allocation_is_told(void **state)
{
    (void)state;
    /* Three blocks: 4096, 8192 and 16384 bytes. */
    write_file(10000);
    for (int left = 0; left < 3; left++) {
        char *text = NULL;
        size_t text_len = 77;
        int error;

        allocations_left = left;
        error = file_read(path, 100000, &text, &text_len);
        allocations_left = -1;
        assert_int_equal(error, ENOMEM);
        assert_null(text);
        assert_int_equal(text_len, 77);
    }
    assert_reads(10000, 100000);
}

static void free_of_null_is_legal(void **state)
{
    (void)state;
    file_free_secret(NULL, 0);
    file_free_secret(NULL, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_files_of_all_sizes),
        cmocka_unit_test(the_bound_is_exact),
        cmocka_unit_test(reads_an_open_descriptor_and_leaves_it_open),
        cmocka_unit_test(an_endless_file_is_too_big),
        cmocka_unit_test(reads_a_file_that_tells_no_size),
        cmocka_unit_test(reads_a_pipe_in_pieces),
        cmocka_unit_test(tells_why_a_file_cannot_be_read),
        cmocka_unit_test(an_unreadable_file_is_refused),
        cmocka_unit_test(leaves_no_descriptor_open),
        cmocka_unit_test(a_failed_allocation_is_told),
        cmocka_unit_test(free_of_null_is_legal),
    };

    return cmocka_run_group_tests_name("file", tests, make_folder, remove_folder);
}
