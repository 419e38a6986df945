/*
 * The opinion of LibJWT: libjwt_verify NAME=KEYFILE... reads lines "NAME TOKEN" and prints "ok" or "refused"
 * for each. A key file is a PEM, or the bytes of a secret.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jwt.h>

enum { MAX_KEYS = 32, KEY_SIZE = 16 * 1024 };

typedef struct key {
    const char *name;
    size_t name_len;
    unsigned char bytes[KEY_SIZE];
    int len;
} named_key_t;

static named_key_t keys[MAX_KEYS];
static int key_count;

static int load_key(const char *argument)
{
    const char *equals = strchr(argument, '=');
    if (equals == NULL || key_count == MAX_KEYS)
        return 0;
    FILE *file = fopen(equals + 1, "rb");
    if (file == NULL)
        return 0;
    named_key_t *key = &keys[key_count++];
    key->name = argument;
    key->name_len = (size_t)(equals - argument);
    key->len = (int)fread(key->bytes, 1, sizeof(key->bytes), file);
    return fclose(file) == 0 && key->len > 0;
}

static const named_key_t *find_key(const char *name, size_t len)
{
    for (int i = 0; i < key_count; i++) {
        if (keys[i].name_len == len && memcmp(keys[i].name, name, len) == 0)
            return &keys[i];
    }
    return NULL;
}

static int is_accepted(char *line)
{
    char *space = strchr(line, ' ');
    const named_key_t *key = space == NULL ? NULL : find_key(line, (size_t)(space - line));
    jwt_t *jwt = NULL;
    if (key == NULL || jwt_decode(&jwt, space + 1, key->bytes, key->len) != 0)
        return 0;
    jwt_free(jwt);
    return 1;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!load_key(argv[i])) {
            fprintf(stderr, "libjwt_verify: %s: no key\n", argv[i]);
            return 2;
        }
    }
    char *line = NULL;
    size_t size = 0;
    for (ssize_t len; (len = getline(&line, &size, stdin)) >= 0;) {
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        puts(is_accepted(line) ? "ok" : "refused");
    }
    free(line);
    return 0;
}
