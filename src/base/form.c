#include "introspectd/form.h"

#include "introspectd/hex.h"

bool form_is_encoded(slice_t text)
{
    return text.len > 0 &&
           (memchr(text.base, '%', text.len) != NULL || memchr(text.base, '+', text.len) != NULL);
}

bool form_decode(slice_t text, char *out, size_t *out_len)
{
    size_t written = 0;

    /* Writing never overtakes reading, so out may be the text itself. */
    for (size_t i = 0; i < text.len; i++) {
        char c = text.base[i];

        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            int high = text.len - i > 2 ? hex_value(text.base[i + 1]) : -1;
            int low = high >= 0 ? hex_value(text.base[i + 2]) : -1;

            if (low < 0)
                return false;
            c = (char)(unsigned char)(high * 16 + low);
            i += 2;
        }
        out[written++] = c;
    }
    *out_len = written;
    return true;
}
