#include "utf8.h"

size_t utf8_char_len(unsigned char lead)
{
    if (lead < 0xC0)
        return 1;
    if (lead < 0xE0)
        return 2;
    return lead < 0xF0 ? 3 : 4;
}

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Overlong forms, surrogates and what lies above U+10FFFF all show in the first two bytes. */
static bool is_valid_pair(unsigned char lead, unsigned char second)
{
    switch (lead) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second < 0xA0;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second < 0x90;
    default:
        return lead >= 0xC2 && lead < 0xF4;
    }
}

bool utf8_is_valid(slice_t text)
{
    const unsigned char *bytes = (const unsigned char *)text.base;

    for (size_t i = 0; i < text.len;) {
        if (bytes[i] < 0x80) {
            i++;
            continue;
        }
        size_t len = utf8_char_len(bytes[i]);
        if (len == 1 || len > text.len - i || !is_valid_pair(bytes[i], bytes[i + 1]))
            return false;
        for (size_t k = 1; k < len; k++) {
            if (!is_continuation(bytes[i + k]))
                return false;
        }
        i += len;
    }
    return true;
}

bool utf8_has_control(slice_t text)
{
    const unsigned char *bytes = (const unsigned char *)text.base;

    for (size_t i = 0; i < text.len; i++) {
        if (bytes[i] < 0x20 || bytes[i] == 0x7F)
            return true;
        /* U+0080 to U+009F are C2 80 to C2 9F; in valid text C2 is only ever a first byte. */
        if (bytes[i] == 0xC2 && i + 1 < text.len && bytes[i + 1] < 0xA0)
            return true;
    }
    return false;
}
