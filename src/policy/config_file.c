#include "config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* 0 when path can be opened for reading and is no directory, else an errno value. */
static int try_open(const char *path)
{
    /* A pipe must not make the program wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno;
    struct stat status;
    int error = fstat(fd, &status) != 0 ? errno : 0;
    if (error == 0 && S_ISDIR(status.st_mode))
        error = EISDIR;
    close(fd);
    return error;
}

bool config_readable_file(config_loader_t *loader, const config_node_t *node, char **out)
{
    char *path;
    if (!config_path(loader, node, &path))
        return false;
    config_tell_file(loader, path);
    int error = try_open(path);
    if (error != 0) {
        char quoted[CONFIG_QUOTE_SIZE];
        config_set_error(loader, node, "cannot read %s: %s", config_quote(slice_of(path), quoted),
                         strerror(error));
        free(path);
        return false;
    }
    *out = path;
    return true;
}
