/*
 * hex: the value of a hexadecimal digit (RFC 4648 section 8, in either case). Any thread.
 */
#ifndef INTROSPECTD_HEX_H
#define INTROSPECTD_HEX_H

/* 0 to 15; -1 when c is no such digit. */
static inline int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
