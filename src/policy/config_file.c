#include "config_internal.h"
#include "introspectd/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_CA_BYTES = 4 << 20 };

char *config_resolve(const config_loader_t *loader, slice_t text)
{
    if (text.len > 0 && text.base[0] == '/')
        return strndup(text.base, text.len);
    size_t directory_len = strlen(loader->directory);
    char *path = malloc(directory_len + text.len + sizeof("/"));
    if (path == NULL)
        return NULL;
    memcpy(path, loader->directory, directory_len);
    path[directory_len] = '/';
    memcpy(path + directory_len + 1, text.base, text.len);
    path[directory_len + 1 + text.len] = '\0';
    return path;
}

void config_tell_file(const config_loader_t *loader, const char *path)
{
    if (loader->on_file != NULL)
        loader->on_file(loader->on_file_data, path);
}

bool config_path(config_loader_t *loader, const config_node_t *node, char **out)
{
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    char *path = config_resolve(loader, text);
    if (path == NULL)
        return config_fail_memory(loader);
    *out = path;
    return true;
}

/* Opens path, which must be a regular file: another kind could make the program wait for ever. 0 with *fd
 * set, or an errno value, EINVAL for another kind. */
static int open_regular(const char *path, int *fd)
{
    struct stat status;
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (opened < 0)
        return errno;
    int error = fstat(opened, &status) != 0 ? errno : 0;
    if (error == 0 && !S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
    if (error != 0) {
        close(opened);
        return error;
    }
    *fd = opened;
    return 0;
}

int config_read_file(const char *path, size_t max_bytes, char **text, size_t *len)
{
    int fd = -1;
    int error = open_regular(path, &fd);
    if (error != 0)
        return error;
    error = file_read_fd(fd, max_bytes, text, len);
    close(fd);
    return error;
}

const char *config_strerror(int error)
{
    return error == EINVAL ? "not a regular file" : strerror(error);
}

bool config_readable_file(config_loader_t *loader, const config_node_t *node, char **out)
{
    char *path;
    if (!config_path(loader, node, &path))
        return false;
    config_tell_file(loader, path);
    int fd = -1;
    int error = open_regular(path, &fd);
    if (error != 0) {
        char quoted[CONFIG_QUOTE_SIZE];
        config_set_error(loader, node, "cannot read %s: %s", config_quote(slice_of(path), quoted),
                         config_strerror(error));
        free(path);
        return false;
    }
    close(fd);
    *out = path;
    return true;
}

/* Whether text holds a certificate that OpenSSL would look at. */
static bool has_certificate(slice_t text)
{
    static const char *const HEADS[] = {"-----BEGIN CERTIFICATE-----", "-----BEGIN TRUSTED CERTIFICATE-----",
                                        "-----BEGIN X509 CERTIFICATE-----"};
    for (size_t i = 0; i < sizeof(HEADS) / sizeof(HEADS[0]); i++) {
        if (memmem(text.base, text.len, HEADS[i], strlen(HEADS[i])) != NULL)
            return true;
    }
    return false;
}

bool config_ca_file(config_loader_t *loader, const config_node_t *node, char **out)
{
    char *path;
    if (!config_path(loader, node, &path))
        return false;
    config_tell_file(loader, path);
    char quoted[CONFIG_QUOTE_SIZE];
    config_quote(slice_of(path), quoted);
    char *text = NULL;
    size_t len = 0;
    int error = config_read_file(path, MAX_CA_BYTES, &text, &len);
    bool is_good = error == 0 && has_certificate((slice_t){text, len});
    free(text);
    if (is_good) {
        *out = path;
        return true;
    }
    free(path);
    return error == 0 ? config_fail(loader, node, "%s: holds no certificate in PEM", quoted)
                      : config_fail(loader, node, "cannot read %s: %s", quoted,
                                    error == EFBIG ? "over 4 MiB" : config_strerror(error));
}
