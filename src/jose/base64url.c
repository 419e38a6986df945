#include "introspectd/base64url.h"

#include <stdint.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* VALID marks the alphabet, so that one AND over four digits shows whether all of them belong to it. */
enum { VALID = 0x40, VALUE = 0x3f };

static const uint8_t DIGIT[256] = {
    ['A'] = 0x40, ['B'] = 0x41, ['C'] = 0x42, ['D'] = 0x43, ['E'] = 0x44, ['F'] = 0x45, ['G'] = 0x46,
    ['H'] = 0x47, ['I'] = 0x48, ['J'] = 0x49, ['K'] = 0x4a, ['L'] = 0x4b, ['M'] = 0x4c, ['N'] = 0x4d,
    ['O'] = 0x4e, ['P'] = 0x4f, ['Q'] = 0x50, ['R'] = 0x51, ['S'] = 0x52, ['T'] = 0x53, ['U'] = 0x54,
    ['V'] = 0x55, ['W'] = 0x56, ['X'] = 0x57, ['Y'] = 0x58, ['Z'] = 0x59, ['a'] = 0x5a, ['b'] = 0x5b,
    ['c'] = 0x5c, ['d'] = 0x5d, ['e'] = 0x5e, ['f'] = 0x5f, ['g'] = 0x60, ['h'] = 0x61, ['i'] = 0x62,
    ['j'] = 0x63, ['k'] = 0x64, ['l'] = 0x65, ['m'] = 0x66, ['n'] = 0x67, ['o'] = 0x68, ['p'] = 0x69,
    ['q'] = 0x6a, ['r'] = 0x6b, ['s'] = 0x6c, ['t'] = 0x6d, ['u'] = 0x6e, ['v'] = 0x6f, ['w'] = 0x70,
    ['x'] = 0x71, ['y'] = 0x72, ['z'] = 0x73, ['0'] = 0x74, ['1'] = 0x75, ['2'] = 0x76, ['3'] = 0x77,
    ['4'] = 0x78, ['5'] = 0x79, ['6'] = 0x7a, ['7'] = 0x7b, ['8'] = 0x7c, ['9'] = 0x7d, ['-'] = 0x7e,
    ['_'] = 0x7f};

/* The low bits of the last character that no byte takes up, by the length modulo 4. */
static const uint8_t TRAILING_BITS[4] = {0, VALUE, 0x0f, 0x03};

static inline uint8_t digit(char c)
{
    return DIGIT[(unsigned char)c];
}

static bool is_strict_tail(slice_t text)
{
    size_t rest = text.len % 4;
    return rest != 1 && (rest == 0 || (digit(text.base[text.len - 1]) & TRAILING_BITS[rest]) == 0);
}

bool base64url_is_strict(slice_t text)
{
    uint8_t all = VALID;
    for (size_t i = 0; i < text.len; i++)
        all &= digit(text.base[i]);
    return (all & VALID) != 0 && is_strict_tail(text);
}

bool base64url_decode(slice_t text, unsigned char *out, size_t *out_len)
{
    if (!is_strict_tail(text))
        return false;
    unsigned char *end = out;
    uint8_t all = VALID;
    size_t i = 0;
    for (; i + 4 <= text.len; i += 4) {
        uint8_t a = digit(text.base[i]);
        uint8_t b = digit(text.base[i + 1]);
        uint8_t c = digit(text.base[i + 2]);
        uint8_t d = digit(text.base[i + 3]);
        all &= a & b & c & d;
        uint32_t bits = (a & (uint32_t)VALUE) << 18 | (b & (uint32_t)VALUE) << 12 |
                        (c & (uint32_t)VALUE) << 6 | (d & VALUE);
        end[0] = (unsigned char)(bits >> 16);
        end[1] = (unsigned char)(bits >> 8);
        end[2] = (unsigned char)bits;
        end += 3;
    }
    uint32_t bits = 0;
    for (size_t rest = i; rest < text.len; rest++) {
        all &= digit(text.base[rest]);
        bits = bits << 6 | (digit(text.base[rest]) & VALUE);
    }
    if (text.len - i == 2) {
        *end++ = (unsigned char)(bits >> 4);
    } else if (text.len - i == 3) {
        *end++ = (unsigned char)(bits >> 10);
        *end++ = (unsigned char)(bits >> 2);
    }
    if ((all & VALID) == 0)
        return false;
    *out_len = (size_t)(end - out);
    return true;
}

void base64url_encode(const unsigned char *bytes, size_t len, char *out)
{
    size_t i = 0;
    for (; i + 3 <= len; i += 3) {
        uint32_t bits = (uint32_t)bytes[i] << 16 | (uint32_t)bytes[i + 1] << 8 | bytes[i + 2];
        *out++ = ALPHABET[bits >> 18];
        *out++ = ALPHABET[bits >> 12 & VALUE];
        *out++ = ALPHABET[bits >> 6 & VALUE];
        *out++ = ALPHABET[bits & VALUE];
    }
    if (len - i == 1) {
        *out++ = ALPHABET[bytes[i] >> 2];
        *out++ = ALPHABET[bytes[i] << 4 & VALUE];
    } else if (len - i == 2) {
        uint32_t bits = (uint32_t)bytes[i] << 8 | bytes[i + 1];
        *out++ = ALPHABET[bits >> 10];
        *out++ = ALPHABET[bits >> 4 & VALUE];
        *out++ = ALPHABET[bits << 2 & VALUE];
    }
    *out = '\0';
}
