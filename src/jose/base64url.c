#include "introspectd/base64url.h"

#include "introspectd/byte_lanes.h"

#include <stdint.h>

static const char ALPHABET[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

enum { VALUE = 0x3f, VALID = 1 << 24 };

/* VALID marks the alphabet. Four digits added up have it four times only if all of them belong to it. */
enum { ALL_VALID = 4 * VALID };

#define D(value, shift) (VALID + ((value) << (shift)))
#define DIGITS(shift)                                                                                        \
    {                                                                                                        \
        ['A'] = D(0, shift), ['B'] = D(1, shift), ['C'] = D(2, shift), ['D'] = D(3, shift),                  \
        ['E'] = D(4, shift), ['F'] = D(5, shift), ['G'] = D(6, shift), ['H'] = D(7, shift),                  \
        ['I'] = D(8, shift), ['J'] = D(9, shift), ['K'] = D(10, shift), ['L'] = D(11, shift),                \
        ['M'] = D(12, shift), ['N'] = D(13, shift), ['O'] = D(14, shift), ['P'] = D(15, shift),              \
        ['Q'] = D(16, shift), ['R'] = D(17, shift), ['S'] = D(18, shift), ['T'] = D(19, shift),              \
        ['U'] = D(20, shift), ['V'] = D(21, shift), ['W'] = D(22, shift), ['X'] = D(23, shift),              \
        ['Y'] = D(24, shift), ['Z'] = D(25, shift), ['a'] = D(26, shift), ['b'] = D(27, shift),              \
        ['c'] = D(28, shift), ['d'] = D(29, shift), ['e'] = D(30, shift), ['f'] = D(31, shift),              \
        ['g'] = D(32, shift), ['h'] = D(33, shift), ['i'] = D(34, shift), ['j'] = D(35, shift),              \
        ['k'] = D(36, shift), ['l'] = D(37, shift), ['m'] = D(38, shift), ['n'] = D(39, shift),              \
        ['o'] = D(40, shift), ['p'] = D(41, shift), ['q'] = D(42, shift), ['r'] = D(43, shift),              \
        ['s'] = D(44, shift), ['t'] = D(45, shift), ['u'] = D(46, shift), ['v'] = D(47, shift),              \
        ['w'] = D(48, shift), ['x'] = D(49, shift), ['y'] = D(50, shift), ['z'] = D(51, shift),              \
        ['0'] = D(52, shift), ['1'] = D(53, shift), ['2'] = D(54, shift), ['3'] = D(55, shift),              \
        ['4'] = D(56, shift), ['5'] = D(57, shift), ['6'] = D(58, shift), ['7'] = D(59, shift),              \
        ['8'] = D(60, shift), ['9'] = D(61, shift), ['-'] = D(62, shift), ['_'] = D(63, shift)               \
    }

/* What a character adds to the 24 bits of its four, by its place among them. */
static const uint32_t DIGIT[4][256] = {DIGITS(18), DIGITS(12), DIGITS(6), DIGITS(0)};

/* The low bits of the last character that no byte takes up, by the length modulo 4. */
static const uint8_t TRAILING_BITS[4] = {0, VALUE, 0x0f, 0x03};

static inline uint32_t digit(char c)
{
    return DIGIT[3][(unsigned char)c];
}

static inline uint32_t four_digits(const char *text)
{
    return DIGIT[0][(unsigned char)text[0]] + DIGIT[1][(unsigned char)text[1]] +
           DIGIT[2][(unsigned char)text[2]] + DIGIT[3][(unsigned char)text[3]];
}

static bool is_strict_tail(slice_t text)
{
    size_t rest = text.len % 4;
    return rest != 1 && (rest == 0 || (digit(text.base[text.len - 1]) & TRAILING_BITS[rest]) == 0);
}

/* All bits of those bytes that are not of the alphabet. */
static inline byte_lanes_t foreign_bytes(byte_lanes_t bytes)
{
    byte_lanes_t letter = (bytes | 0x20) - 'a';
    byte_lanes_t number = bytes - '0';
    return ~(byte_lanes_t)((letter < 26) | (number < 10) | (bytes == '-') | (bytes == '_'));
}

bool base64url_is_strict(slice_t text)
{
    byte_lanes_t foreign = {0};
    size_t i = 0;
    for (; i + sizeof(foreign) <= text.len; i += sizeof(foreign))
        foreign |= foreign_bytes(byte_lanes_load(text.base + i));
    uint32_t all = VALID;
    for (; i < text.len; i++)
        all &= digit(text.base[i]);
    return !byte_lanes_any(foreign) && (all & VALID) != 0 && is_strict_tail(text);
}

bool base64url_decode(slice_t text, unsigned char *out, size_t *out_len)
{
    if (!is_strict_tail(text))
        return false;
    unsigned char *end = out;
    uint32_t all = ALL_VALID;
    size_t i = 0;
    for (; i + 4 <= text.len; i += 4) {
        uint32_t bits = four_digits(text.base + i);
        all &= bits;
        end[0] = (unsigned char)(bits >> 16);
        end[1] = (unsigned char)(bits >> 8);
        end[2] = (unsigned char)bits;
        end += 3;
    }
    bool is_valid = (all & ALL_VALID) != 0;
    uint32_t bits = 0;
    for (size_t rest = i; rest < text.len; rest++) {
        is_valid = is_valid && (digit(text.base[rest]) & VALID) != 0;
        bits = bits << 6 | (digit(text.base[rest]) & VALUE);
    }
    if (text.len - i == 2) {
        *end++ = (unsigned char)(bits >> 4);
    } else if (text.len - i == 3) {
        *end++ = (unsigned char)(bits >> 10);
        *end++ = (unsigned char)(bits >> 2);
    }
    if (!is_valid)
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
