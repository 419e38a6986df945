/*
 * byte_lanes: sixteen bytes that are looked at together.
 *
 * The compiler makes of its operators what the processor has for many bytes at a time. A comparison sets all
 * bits of the bytes that it holds for. Any thread.
 */
#ifndef INTROSPECTD_BYTE_LANES_H
#define INTROSPECTD_BYTE_LANES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef unsigned char byte_lanes_t __attribute__((vector_size(16)));

/* The sixteen bytes at base, however aligned. */
static inline byte_lanes_t byte_lanes_load(const char *base)
{
    byte_lanes_t lanes;

    memcpy(&lanes, base, sizeof(lanes));
    return lanes;
}

/* Whether a bit is set in any of them. */
static inline bool byte_lanes_any(byte_lanes_t lanes)
{
    uint64_t halves[2];

    memcpy(halves, &lanes, sizeof(halves));
    return (halves[0] | halves[1]) != 0;
}

#endif
