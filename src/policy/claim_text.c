#include "claim_text.h"

#include "introspectd/mapping.h"
#include "introspectd/utf8.h"

#include <stdio.h>

bool claim_text_get(const json_t *value, char digits[CLAIM_TEXT_DIGITS_SIZE], slice_t *out)
{
    if (json_is_integer(value)) {
        int len =
            snprintf(digits, CLAIM_TEXT_DIGITS_SIZE, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        *out = (slice_t){digits, (size_t)len};
        return true;
    }
    if (!json_is_string(value))
        return false;
    slice_t text = {json_string_value(value), json_string_length(value)};
    if (text.len == 0 || text.len > MAPPING_MAX_MEMBER_BYTES || utf8_has_control(text))
        return false;
    *out = text;
    return true;
}
