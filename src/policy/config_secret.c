#include "config_internal.h"
#include "introspectd/file.h"

#include <errno.h>
#include <stdlib.h>

enum { MAX_FILE_BYTES = 4096 };

typedef struct secret_file {
    char *text;
    size_t len;
} secret_file_t;

/* What the file holds, without the newline that an editor or `echo` puts behind it. */
static slice_t strip_newline(const secret_file_t *file)
{
    slice_t secret = {file->text, file->len};
    if (secret.len > 0 && secret.base[secret.len - 1] == '\n') {
        secret.len--;
        if (secret.len > 0 && secret.base[secret.len - 1] == '\r')
            secret.len--;
    }
    return secret;
}

/* No error names the file: people write the secret itself where its file's name belongs. */
static bool read_secret(config_loader_t *loader, const config_node_t *item, secret_file_t *file,
                        slice_t *secret)
{
    char *path;
    if (!config_path(loader, item, &path))
        return false;
    config_tell_file(loader, path);
    int error = config_read_file(path, MAX_FILE_BYTES, &file->text, &file->len);
    /* For the same reason. */
    file_free_secret(path, strlen(path));
    if (error == EFBIG)
        return config_fail(loader, item, "the file of the secret is over 4 KiB");
    if (error != 0)
        return config_fail(loader, item, "cannot read the file of the secret: %s", config_strerror(error));
    *secret = strip_newline(file);
    if (secret->len == 0)
        return config_fail(loader, item, "the secret is empty");
    if (secret->len > CLIENT_MAX_SECRET_BYTES)
        return config_fail(loader, item, "the secret is longer than %d bytes", CLIENT_MAX_SECRET_BYTES);
    if (memchr(secret->base, '\0', secret->len) != NULL)
        return config_fail(loader, item, "the secret holds a NUL byte");
    return true;
}

bool config_read_secrets(config_loader_t *loader, const config_node_t *list, client_t *client)
{
    secret_file_t files[CLIENT_MAX_SECRETS] = {{NULL, 0}};
    slice_t secrets[CLIENT_MAX_SECRETS];
    size_t count;
    if (!config_list(loader, list, CLIENT_MAX_SECRETS, &count))
        return false;
    bool is_good = true;
    for (size_t i = 0; i < count && is_good; i++) {
        config_node_t item = config_item(loader, list, i);
        is_good = read_secret(loader, &item, &files[i], &secrets[i]);
    }
    if (is_good && !client_set_secrets(&loader->config->clients, client, loader->digester, secrets, count))
        is_good = config_fail(loader, list, "the digests of the secrets cannot be made");
    for (size_t i = 0; i < count; i++)
        file_free_secret(files[i].text, files[i].len);
    return is_good;
}
