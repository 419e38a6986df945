#include "introspectd/utf8.h"

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

size_t utf8_valid_char_len(slice_t text)
{
    const unsigned char *bytes = (const unsigned char *)text.base;

    if (text.len == 0)
        return 0;
    if (bytes[0] < 0x80)
        return 1;
    size_t len = utf8_char_len(bytes[0]);
    if (len == 1 || len > text.len || !is_valid_pair(bytes[0], bytes[1]))
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(bytes[i]))
            return 0;
    }
    return len;
}

bool utf8_is_valid(slice_t text)
{
    while (text.len > 0) {
        size_t len = utf8_valid_char_len(text);
        if (len == 0)
            return false;
        text = (slice_t){text.base + len, text.len - len};
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

size_t utf8_encode(uint32_t character, char out[UTF8_CHAR_MAX])
{
    if (character < 0x80) {
        out[0] = (char)character;
        return 1;
    }
    size_t len = character < 0x800 ? 2 : character < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (character & 0x3F));
        character >>= 6;
    }
    /* As many ones in front as there are bytes. */
    out[0] = (char)((0xF00u >> len & 0xF0) | character);
    return len;
}
