/*
 * peer_table: how many connections each peer address has.
 *
 * One for all threads, which may call everything but peer_table_free at the same time. Its memory follows the
 * number of addresses that have a connection now: 20 bytes a slot, of which between an eighth and three
 * quarters are in use.
 */
#ifndef INTROSPECTD_HTTP_PEER_TABLE_H
#define INTROSPECTD_HTTP_PEER_TABLE_H

#include "introspectd/ip_address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct peer_table peer_table_t;

/* Whom a connection is counted for: an IPv6 address, in network byte order. */
typedef struct peer_key {
    unsigned char bytes[16];
} peer_key_t;

/* ip_address_of_host's. Peers without an IP address share a key. */
peer_key_t peer_key_of(ip_address_t address);

/* For at most max_addresses at a time. NULL when memory or random numbers cannot be had. The caller frees. */
peer_table_t *peer_table_new(size_t max_addresses) __attribute__((warn_unused_result));
void peer_table_free(peer_table_t *table);

/*
 * Counts a connection of key's. False, and nothing is counted, when it has max_per_address or more already,
 * or when it is new and there are max_addresses, or no memory.
 */
bool peer_table_add(peer_table_t *table, const peer_key_t *key, uint32_t max_per_address)
    __attribute__((warn_unused_result));

/* Takes one peer_table_add that returned true back. */
void peer_table_remove(peer_table_t *table, const peer_key_t *key);

/* How many connections of key's are counted. */
uint32_t peer_table_count(peer_table_t *table, const peer_key_t *key);

#endif
