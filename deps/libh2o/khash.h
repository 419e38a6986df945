/*
 * What libh2o's http2_internal.h needs of the header that it includes and Debian does not package: names, and
 * how many streams a connection has. Its table is never looked into; h2o_http2_conn_get_stream finds nothing.
 */
#ifndef INTROSPECTD_LIBH2O_KHASH_H
#define INTROSPECTD_LIBH2O_KHASH_H

#include <stdint.h>

typedef uint32_t khiter_t;

#define khash_t(name) kh_##name##_t

#define KHASH_MAP_INIT_INT64(name, value_type)                                                               \
    typedef struct kh_##name {                                                                               \
        khiter_t n_buckets, size, n_occupied, upper_bound;                                                   \
        uint32_t *flags;                                                                                     \
        uint64_t *keys;                                                                                      \
        value_type *values;                                                                                  \
    } kh_##name##_t;

#define kh_size(table) ((table)->size)
#define kh_get(name, table, key) ((void)(table), (void)(key), (khiter_t)0)
#define kh_end(table) ((void)(table), (khiter_t)0)
#define kh_val(table, place) ((table)->values[place])

#endif
