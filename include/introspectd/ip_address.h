/*
 * ip_address: who a peer is, and whether it stands in one of some prefixes.
 *
 * IPv4 addresses are kept in the mapped form of RFC 4291 section 2.5.5.2, and an IPv6 address of that form is
 * the IPv4 one: a socket for both families shows an IPv4 peer so. Zones (RFC 4007) are not kept. Values
 * without a heap; any thread.
 */
#ifndef INTROSPECTD_IP_ADDRESS_H
#define INTROSPECTD_IP_ADDRESS_H

#include "introspectd/slice.h"

#include <sys/socket.h>

typedef enum ip_family { IP_FAMILY_NONE, IP_FAMILY_V4, IP_FAMILY_V6 } ip_family_t;

/* All zero: none, as the peer of a Unix socket has. Two that are equal have the same bytes. */
typedef struct ip_address {
    unsigned char bytes[16]; /* network order; IPv4 as ::ffff:a.b.c.d */
    ip_family_t family;
} ip_address_t;

/* The longest text with its NUL. */
enum { IP_ADDRESS_TEXT_SIZE = 46 };

/* The none for a family that is not IP's, and where len is too small for the family. address may be NULL with
 * len 0. */
ip_address_t ip_address_from_sockaddr(const struct sockaddr *address, socklen_t len);

/* From bytes in network order: 4 of them, or 16. */
ip_address_t ip_address_from_v4(const unsigned char bytes[4]);
ip_address_t ip_address_from_v6(const unsigned char bytes[16]);

/*
 * Dotted IPv4 without leading zeros, or IPv6 (RFC 4291 section 2.2) without brackets and zone. False with
 * *out untouched when text is neither.
 */
bool ip_address_parse(slice_t text, ip_address_t *out) __attribute__((warn_unused_result));

/*
 * As ip_address_parse, and as proxies write it into a header: `[v6]`, `[v6]:port`, `v4:port`. The port must
 * be one and is dropped.
 */
bool ip_address_parse_with_port(slice_t text, ip_address_t *out) __attribute__((warn_unused_result));

/* A decimal port from 0 to 65535 without leading zeros. */
bool ip_port_is_valid(slice_t text);

/* NUL-terminated; IPv6 as RFC 5952 has it, the none as "none". Gives out. */
const char *ip_address_text(ip_address_t address, char out[IP_ADDRESS_TEXT_SIZE]);

/*
 * What of an address stands for whoever has it, where something is counted by address: all of IPv4, the first
 * 64 bits of IPv6, with zeros behind, because the others are the host's own choice (RFC 4291 section 2.5.1).
 */
ip_address_t ip_address_of_host(ip_address_t address);

bool ip_address_equal(ip_address_t a, ip_address_t b);

/* A prefix of addresses of one family (CIDR; RFC 4632 section 3.1, RFC 4291 section 2.3). */
typedef struct ip_prefix {
    ip_address_t address; /* zero behind the prefix */
    unsigned bits;        /* of the 128: for IPv4 96 more than written */
} ip_prefix_t;

typedef enum ip_prefix_fault {
    IP_PREFIX_IS_GOOD,
    IP_PREFIX_IS_MALFORMED,
    IP_PREFIX_HAS_HOST_BITS /* bits are set behind the prefix: *out is the one without them */
} ip_prefix_fault_t;

/* `ADDRESS/BITS`, or a single address. *out is untouched when it is malformed. */
ip_prefix_fault_t ip_prefix_parse(slice_t text, ip_prefix_t *out) __attribute__((warn_unused_result));

/* Room for the text of a prefix with its NUL. */
enum { IP_PREFIX_TEXT_SIZE = 64 };

/* `ADDRESS/BITS`, NUL-terminated. Gives out. */
const char *ip_prefix_text(const ip_prefix_t *prefix, char out[IP_PREFIX_TEXT_SIZE]);

/* Whether address is in one of the prefixes. The none is in no prefix, and a family not in the other's. */
bool ip_prefixes_match(const ip_prefix_t *prefixes, size_t count, ip_address_t address);

#endif
