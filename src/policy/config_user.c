#include "config_internal.h"

#include <pwd.h>
#include <stdlib.h>

/* Where NSS puts what it found. */
enum { ENTRY_BYTES = 16384 };

/* The highest; the number above it is "no id" to the system. */
#define MAX_ID (UINT32_MAX - 1)

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads the id at the front of text. False when there is none, or one that is too large. */
static bool parse_id(slice_t text, uint32_t *id, slice_t *rest)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < text.len && is_digit(text.base[i]); i++) {
        value = value * 10 + (uint64_t)(text.base[i] - '0');
        if (value > MAX_ID)
            return false;
    }
    *id = (uint32_t)value;
    *rest = (slice_t){text.base + i, text.len - i};
    return i > 0;
}

/* UID or UID:GID; without the second the group has the same number. */
static bool parse_ids(slice_t text, config_user_t *user)
{
    slice_t rest;
    if (!parse_id(text, &user->uid, &rest))
        return false;
    user->gid = user->uid;
    if (rest.len == 0)
        return true;
    user->has_gid = true;
    return rest.base[0] == ':' && parse_id((slice_t){rest.base + 1, rest.len - 1}, &user->gid, &rest) &&
           rest.len == 0;
}

static bool find_name(config_loader_t *loader, const config_node_t *node, config_user_t *user)
{
    if (!config_string(loader, node, &user->name))
        return false;
    char *bytes = malloc(ENTRY_BYTES);
    if (bytes == NULL)
        return config_fail_memory(loader);
    struct passwd entry;
    struct passwd *found = NULL;
    int error = getpwnam_r(user->name, &entry, bytes, ENTRY_BYTES, &found);
    bool is_found = found != NULL;
    if (is_found) {
        user->uid = entry.pw_uid;
        user->gid = entry.pw_gid;
        user->has_gid = true;
    }
    free(bytes);
    if (is_found)
        return true;
    char quoted[CONFIG_QUOTE_SIZE];
    return config_fail(loader, node, "must be a user of this system or UID[:GID], not %s%s%s",
                       config_quote(slice_of(user->name), quoted), error == 0 ? "" : ": ",
                       error == 0 ? "" : config_strerror(error));
}

bool config_read_user(config_loader_t *loader, const config_node_t *node)
{
    config_user_t *user = &loader->config->user;
    slice_t text;
    if (!config_text(loader, node, &text))
        return false;
    if (!is_digit(text.base[0])) {
        if (!find_name(loader, node, user))
            return false;
    } else if (!parse_ids(text, user)) {
        char quoted[CONFIG_QUOTE_SIZE];
        return config_fail(loader, node, "must be a user of this system or UID[:GID], not %s",
                           config_quote(text, quoted));
    }
    if (user->uid == 0)
        return config_fail(loader, node, "must not be root; left out, the process stays what it started as");
    user->is_given = true;
    return true;
}
