#include "memory_scan.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

enum {
    MASK = 0xA5,
    PIECE = 12, /* this many bytes in a row are a trace */
    MAPS_SIZE = 1 << 20
};

/* The sanitizers' shadow is larger than any heap, and holds no program's data. */
static const uintptr_t MAX_MAPPING = (uintptr_t)64 << 20;

/* Text of /proc/self/maps. */
static char maps[MAPS_SIZE];

void masked_secret_init(masked_secret_t *secret)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    *secret = (masked_secret_t){.text_len = MASKED_SECRET_LEN / 3 * 4};
    if (getrandom(secret->bytes, sizeof(secret->bytes), 0) != (ssize_t)sizeof(secret->bytes))
        abort();
    for (size_t i = 0; i < secret->text_len; i++) {
        size_t bit = 6 * i;
        unsigned first = (unsigned)(secret->bytes[bit / 8] ^ MASK);
        unsigned second = bit / 8 + 1 < MASKED_SECRET_LEN ? (unsigned)(secret->bytes[bit / 8 + 1] ^ MASK) : 0;
        unsigned value = (first << 8 | second) >> (10 - bit % 8) & 63;
        secret->text[i] = (unsigned char)alphabet[value] ^ MASK;
    }
}

void masked_secret_unmask_text(const masked_secret_t *secret, char *out)
{
    for (size_t i = 0; i < secret->text_len; i++)
        out[i] = (char)(secret->text[i] ^ MASK);
}

void masked_secret_write_text(const masked_secret_t *secret, int fd)
{
    for (size_t i = 0; i < secret->text_len; i++) {
        unsigned char byte = secret->text[i] ^ MASK;
        if (write(fd, &byte, 1) != 1)
            abort();
    }
}

__attribute__((no_sanitize("address", "thread", "undefined"))) static bool
is_piece(const unsigned char *at, const unsigned char *masked)
{
    for (size_t i = 0; i < PIECE; i++) {
        if (at[i] != (masked[i] ^ MASK))
            return false;
    }
    return true;
}

/* Freed memory is read too, which is what it is there for. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static size_t
scan_mapping(const unsigned char *begin, const unsigned char *end, const unsigned char *masked, size_t len)
{
    static bool is_pair[256][256];
    size_t count = 0;
    memset(is_pair, 0, sizeof(is_pair));
    for (size_t i = 0; i + PIECE <= len; i++)
        is_pair[masked[i] ^ MASK][masked[i + 1] ^ MASK] = true;
    for (const unsigned char *at = begin; at + PIECE <= end; at++) {
        if (!is_pair[at[0]][at[1]])
            continue;
        for (size_t i = 0; i + PIECE <= len; i++) {
            if (is_piece(at, masked + i)) {
                count++;
                at += PIECE - 1;
                break;
            }
        }
    }
    return count;
}

static void read_maps(void)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    for (ssize_t got; fd >= 0 && (got = read(fd, maps + len, sizeof(maps) - 1 - len)) > 0;)
        len += (size_t)got;
    maps[len] = '\0';
    close(fd);
    if (len == 0 || len == sizeof(maps) - 1)
        abort();
}

static size_t scan(const unsigned char *masked, size_t len)
{
    size_t count = 0;
    read_maps();
    for (const char *line = maps; line[0] != '\0'; line = strchr(line, '\n') + 1) {
        uintptr_t begin;
        uintptr_t end;
        char access[5];
        if (sscanf(line, "%zx-%zx %4s", &begin, &end, access) != 3)
            abort();
        const char *stack = strstr(line, "[stack]");
        bool is_stack = stack != NULL && stack < strchr(line, '\n');
        if (access[0] == 'r' && access[1] == 'w' && !is_stack && end - begin <= MAX_MAPPING)
            count += scan_mapping((const unsigned char *)begin, (const unsigned char *)end, masked, len);
    }
    return count;
}

size_t memory_scan_text(const masked_secret_t *secret)
{
    return scan(secret->text, secret->text_len);
}

size_t memory_scan_bytes(const masked_secret_t *secret)
{
    return scan(secret->bytes, sizeof(secret->bytes));
}
