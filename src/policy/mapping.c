#include "introspectd/mapping.h"

#include "claim_text.h"
#include "introspectd/claim_path.h"
#include "introspectd/utf8.h"
#include "mapping_template.h"

#include <stdlib.h>

/* Exactly one of the two is set. */
typedef struct source {
    claim_path_t *path;
    mapping_template_t *template;
} source_t;

typedef struct member {
    char *name;
    bool is_required;
    source_t *sources;
    size_t source_count;
} member_t;

struct mapping {
    member_t *members;
    size_t count;
};

mapping_t *mapping_new(void)
{
    return calloc(1, sizeof(mapping_t));
}

static void member_deinit(member_t *member)
{
    for (size_t i = 0; i < member->source_count; i++) {
        claim_path_free(member->sources[i].path);
        mapping_template_free(member->sources[i].template);
    }
    free(member->sources);
    free(member->name);
}

void mapping_free(mapping_t *mapping)
{
    if (mapping == NULL)
        return;
    for (size_t i = 0; i < mapping->count; i++)
        member_deinit(&mapping->members[i]);
    free(mapping->members);
    free(mapping);
}

static bool source_init(source_t *source, slice_t text, const char **error)
{
    if (text.len != 0 && memchr(text.base, '{', text.len) != NULL) {
        source->template = mapping_template_new(text, error);
        return source->template != NULL;
    }
    source->path = claim_path_new(text, error);
    return source->path != NULL;
}

static bool member_init(member_t *member, const char *name, const slice_t *sources, size_t source_count,
                        const char **error)
{
    member->name = strdup(name);
    member->sources = calloc(source_count, sizeof(source_t));
    if (member->name == NULL || member->sources == NULL) {
        *error = "out of memory";
        return false;
    }
    for (; member->source_count < source_count; member->source_count++) {
        size_t i = member->source_count;
        if (!source_init(&member->sources[i], sources[i], error))
            return false;
    }
    return true;
}

static bool grow(mapping_t *mapping, const char **error)
{
    member_t *members = realloc(mapping->members, (mapping->count + 1) * sizeof(*members));

    if (members == NULL) {
        *error = "out of memory";
        return false;
    }
    mapping->members = members;
    return true;
}

bool mapping_add(mapping_t *mapping, const char *member, bool is_required, const slice_t *sources,
                 size_t source_count, const char **error)
{
    if (member[0] == '\0' || !utf8_is_valid(slice_of(member))) {
        *error = "a member's name that is empty or not UTF-8";
        return false;
    }
    if (mapping_has(mapping, member)) {
        *error = "a member that is already there";
        return false;
    }
    if (source_count == 0 || source_count > MAPPING_MAX_SOURCES) {
        *error = "a member needs 1 to 16 sources";
        return false;
    }
    member_t added = {.is_required = is_required};
    if (!member_init(&added, member, sources, source_count, error) || !grow(mapping, error)) {
        member_deinit(&added);
        return false;
    }
    mapping->members[mapping->count++] = added;
    return true;
}

bool mapping_has(const mapping_t *mapping, const char *member)
{
    for (size_t i = 0; i < mapping->count; i++) {
        if (strcmp(mapping->members[i].name, member) == 0)
            return true;
    }
    return false;
}

static bool set_text(json_t *answer, const char *name, slice_t text)
{
    return json_object_set_new_nocheck(answer, name, json_stringn_nocheck(text.base, text.len)) == 0;
}

/* REASON_MAPPING_MISSING when the source has no value. */
static reason_t apply_source(const source_t *source, const json_t *payload, const char *name, json_t *answer)
{
    char rendered[MAPPING_MAX_MEMBER_BYTES];
    char digits[CLAIM_TEXT_DIGITS_SIZE];
    slice_t text;
    bool is_set;

    if (source->template != NULL) {
        text.base = rendered;
        if (!mapping_template_render(source->template, payload, rendered, &text.len))
            return REASON_MAPPING_MISSING;
        is_set = set_text(answer, name, text);
    } else {
        json_t *value = claim_path_get(source->path, payload);
        if (!claim_text_get(value, digits, &text))
            return REASON_MAPPING_MISSING;
        is_set = json_is_string(value) ? json_object_set_nocheck(answer, name, value) == 0
                                       : set_text(answer, name, text);
    }
    return is_set ? REASON_NONE : REASON_INTERNAL_ERROR;
}

reason_t mapping_apply(const mapping_t *mapping, const json_t *payload, json_t *answer, const char **missing)
{
    for (size_t i = 0; i < mapping->count; i++) {
        const member_t *member = &mapping->members[i];
        reason_t reason = REASON_MAPPING_MISSING;
        for (size_t k = 0; k < member->source_count && reason == REASON_MAPPING_MISSING; k++)
            reason = apply_source(&member->sources[k], payload, member->name, answer);
        if (reason == REASON_INTERNAL_ERROR)
            return reason;
        if (reason == REASON_MAPPING_MISSING && member->is_required) {
            if (missing != NULL)
                *missing = member->name;
            return reason;
        }
    }
    return REASON_NONE;
}
