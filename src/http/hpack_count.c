#include "hpack_count.h"

enum { FIELD, INDEX, LENGTH, LENGTH_REST, STRING };

/* Beyond that no integer is legal here. */
enum { MAX_SHIFT = 28 };

static void end_string(hpack_count_t *count)
{
    count->strings--;
    count->expects = count->strings > 0 ? LENGTH : FIELD;
}

static void begin_strings(hpack_count_t *count)
{
    count->expects = count->strings > 0 ? LENGTH : FIELD;
}

/* An integer whose prefix was full goes on while a byte has its first bit. Whether this was its last. */
static int take_integer_byte(hpack_count_t *count, uint8_t byte)
{
    if (count->shift <= MAX_SHIFT)
        count->number += (uint64_t)(byte & 0x7f) << count->shift;
    count->shift += 7;
    return (byte & 0x80) == 0;
}

/* The first byte of a representation (RFC 7541 sections 6.1 to 6.3). */
static void begin_field(hpack_count_t *count, uint8_t byte)
{
    static const uint8_t LITERAL_INCREMENTAL = 0x40, SIZE_UPDATE = 0x20;
    uint8_t mask = 0x0f;
    count->strings = 1;
    if ((byte & 0x80) != 0) {
        mask = 0x7f;
        count->strings = 0;
    } else if ((byte & LITERAL_INCREMENTAL) != 0) {
        mask = 0x3f;
    } else if ((byte & SIZE_UPDATE) != 0) {
        mask = 0x1f;
        count->strings = 0;
    }
    uint8_t index = byte & mask;
    if (index == 0 && count->strings == 1)
        count->strings = 2;
    count->fields++;
    count->shift = 0;
    if (index == mask)
        count->expects = INDEX;
    else
        begin_strings(count);
}

static void begin_string(hpack_count_t *count)
{
    count->expects = STRING;
    if (count->number == 0)
        end_string(count);
}

static void take_length(hpack_count_t *count, uint8_t byte)
{
    count->number = byte & 0x7f;
    count->shift = 0;
    if (count->number == 0x7f)
        count->expects = LENGTH_REST;
    else
        begin_string(count);
}

void hpack_count_add(hpack_count_t *count, slice_t piece)
{
    const uint8_t *bytes = (const uint8_t *)piece.base;
    size_t i = 0;
    while (i < piece.len) {
        switch (count->expects) {
        case FIELD:
            begin_field(count, bytes[i++]);
            break;
        case INDEX:
            if (take_integer_byte(count, bytes[i++]))
                begin_strings(count);
            break;
        case LENGTH:
            take_length(count, bytes[i++]);
            break;
        case LENGTH_REST:
            if (take_integer_byte(count, bytes[i++]))
                begin_string(count);
            break;
        default: {
            size_t left = piece.len - i;
            size_t skipped = count->number < left ? (size_t)count->number : left;
            i += skipped;
            count->number -= skipped;
            if (count->number == 0)
                end_string(count);
            break;
        }
        }
    }
}
