#include "config_internal.h"
#include "introspectd/file.h"

#include <errno.h>

enum { MAX_JWKS_BYTES = 4 << 20 };

typedef struct note_target {
    config_loader_t *loader;
    const config_node_t *node;
    bool is_failed;
} note_target_t;

static void take_note(void *data, const keyset_note_t *note)
{
    note_target_t *target = data;
    if (target->is_failed)
        return;
    const char *verb = note->is_skipped ? " skipped" : "";
    const char *kind = note->is_skipped ? "" : "warning: ";
    char quoted[CONFIG_QUOTE_SIZE];
    bool is_added = note->kid.base == NULL
                        ? config_note(target->loader, target->node, "key %zu%s: %s%s", note->index, verb,
                                      kind, note->text)
                        : config_note(target->loader, target->node, "key %zu (kid %s)%s: %s%s", note->index,
                                      config_quote(note->kid, quoted), verb, kind, note->text);
    target->is_failed = !is_added;
}

static keyset_t *read_keyset(config_loader_t *loader, const config_node_t *node, const char *path)
{
    char quoted[CONFIG_QUOTE_SIZE];
    config_quote(slice_of(path), quoted);
    char *text;
    size_t len;
    int error_number = config_read_file(path, MAX_JWKS_BYTES, &text, &len);
    if (error_number != 0) {
        config_set_error(loader, node, "cannot read %s: %s", quoted,
                         error_number == EFBIG ? "over 4 MiB" : config_strerror(error_number));
        return NULL;
    }
    note_target_t target = {loader, node, false};
    const char *error;
    keyset_t *keys = keyset_parse((slice_t){text, len}, take_note, &target, &error);
    /* A set may hold private or symmetric keys. */
    file_free_secret(text, len);
    if (target.is_failed) {
        keyset_release(keys);
        return NULL;
    }
    if (keys == NULL)
        config_set_error(loader, node, "%s: %s", quoted, error);
    return keys;
}

bool config_read_jwks_file(config_loader_t *loader, const config_node_t *node, config_issuer_t *issuer)
{
    if (!config_path(loader, node, &issuer->jwks_file))
        return false;
    config_tell_file(loader, issuer->jwks_file);
    keyset_t *keys = read_keyset(loader, node, issuer->jwks_file);
    if (keys == NULL)
        return false;
    issuer->keys = keyset_slot_new(keys, NULL, NULL);
    if (issuer->keys == NULL) {
        keyset_release(keys);
        return config_fail_memory(loader);
    }
    if (keyset_is_usable(keys, issuer->algorithms))
        return true;
    const char *problem = keyset_size(keys) == 0 ? "no usable key" : "no key fits the algorithms";
    keyset_slot_set_outcome(issuer->keys, problem);
    return config_note(loader, node, "warning: %s; no token of this issuer can be verified", problem);
}
