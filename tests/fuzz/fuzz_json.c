/* JSON: judged and understood as jansson's own parser does, and written as jansson writes it. */
#include "fuzz.h"

#include "../unit/jose/json_oracle.h"

static void check_written(json_t *value)
{
    char *expected = json_dumps(value, JSON_COMPACT);
    size_t len = json_write(value, NULL, 0);
    char *text = malloc(len);
    if (expected != NULL && text != NULL) {
        FUZZ_CHECK(json_write(value, text, len) == len);
        FUZZ_CHECK(slice_equal((slice_t){text, len}, slice_of(expected)));
    }
    free(text);
    free(expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const slice_t text = {(const char *)data, size};
    bool is_accepted = false;
    if (size == 0)
        return 0;
    FUZZ_CHECK(oracle_agrees(text, &is_accepted));
    if (!is_accepted)
        return 0;
    json_t *value = json_parse_object(text);
    FUZZ_CHECK(value != NULL);
    check_written(value);
    json_decref(value);
    return 0;
}
