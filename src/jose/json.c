#include "introspectd/json.h"

#include "json_memory.h"
#include "json_parser.h"

void json_init(void)
{
    json_memory_init();
}

json_t *json_parse_object(slice_t text)
{
    json_memory_ran_out = false;
    if (text.base == NULL)
        return NULL;
    json_t *json = json_parser_read(text);
    /* Whatever became of it: of a parse that ran out of memory nothing is used. */
    if (json_memory_ran_out) {
        json_decref(json);
        return NULL;
    }
    return json;
}

bool json_ran_out_of_memory(void)
{
    return json_memory_ran_out;
}

slice_t json_get_string(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return (slice_t){json_string_value(value), json_string_length(value)};
}
