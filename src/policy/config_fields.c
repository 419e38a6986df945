#include "config_internal.h"

enum { MAX_FIELDS = 64, MAX_MEMBER_NAME_BYTES = 128 };

static bool check_member(config_loader_t *loader, const config_node_t *member, profile_t profile)
{
    if (member->key.len > MAX_MEMBER_NAME_BYTES)
        return config_fail(loader, member, "a member's name must have at most %d bytes",
                           MAX_MEMBER_NAME_BYTES);
    if (!config_is_printable(member->key))
        return config_fail(loader, member, "a member's name must not hold control characters");
    if (!profile_allows_member(profile, member->key.base))
        return config_fail(loader, member, "is not a member that profile %s can have", profile_name(profile));
    return true;
}

/*
 * mapping_add does not say which of several sources is at fault: each is tried alone, so that the error has
 * its line.
 */
static bool check_source(config_loader_t *loader, const config_node_t *node, slice_t source)
{
    mapping_t *scratch = mapping_new();
    if (scratch == NULL)
        return config_fail_memory(loader);
    const char *error;
    bool is_good = mapping_add(scratch, "source", false, &source, 1, &error);
    if (!is_good)
        config_set_error(loader, node, "%s", error);
    mapping_free(scratch);
    return is_good;
}

static bool add_member(config_loader_t *loader, const config_node_t *member, bool is_required,
                       mapping_t *mapping)
{
    slice_t sources[MAPPING_MAX_SOURCES];
    size_t count = 1;
    bool is_list = config_is_list(loader, member);
    if (is_list && !config_list(loader, member, MAPPING_MAX_SOURCES, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        config_node_t source = *member;
        if (is_list)
            source = config_item(loader, member, i);
        if (!config_text(loader, &source, &sources[i]) || !check_source(loader, &source, sources[i]))
            return false;
    }
    const char *error;
    if (!mapping_add(mapping, member->key.base, is_required, sources, count, &error))
        return config_fail(loader, member, "%s", error);
    return true;
}

/* Adds a member that the profile requires: from fields, else from the claim of the same name. */
static bool add_required(config_loader_t *loader, const config_node_t *fields, size_t count, const char *name,
                         mapping_t *mapping)
{
    for (size_t i = 0; i < count; i++) {
        config_node_t member = config_entry(loader, fields, i);
        if (slice_equal(member.key, slice_of(name)))
            return add_member(loader, &member, true, mapping);
    }
    slice_t source = slice_of(name);
    const char *error;
    if (!mapping_add(mapping, name, true, &source, 1, &error))
        return config_fail(loader, fields, "%s", error);
    return true;
}

bool config_read_fields(config_loader_t *loader, const config_node_t *fields, client_t *client)
{
    size_t count = 0;
    client->mapping = mapping_new();
    if (client->mapping == NULL)
        return config_fail_memory(loader);
    if (fields->id != 0 && !config_entries(loader, fields, MAX_FIELDS, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        config_node_t key = config_entry_key(loader, fields, i);
        if (!check_member(loader, &key, client->profile))
            return false;
    }
    const char *name;
    for (size_t i = 0; (name = profile_required_member(client->profile, i)) != NULL; i++) {
        if (!add_required(loader, fields, count, name, client->mapping))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        config_node_t member = config_entry(loader, fields, i);
        if (!mapping_has(client->mapping, member.key.base) &&
            !add_member(loader, &member, false, client->mapping))
            return false;
    }
    return true;
}
