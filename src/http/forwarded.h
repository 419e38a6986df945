/*
 * forwarded: who sent a request that came through proxies, by X-Forwarded-For.
 *
 * Each proxy adds on the right whom it got the request from; what stands to the left of the first hop that is
 * not trusted is that hop's own claim, and nobody else's. The header has no standard; the walk is the one
 * that RFC 7239 section 8.1 asks for. Knows no HTTP library. Any thread.
 */
#ifndef INTROSPECTD_HTTP_FORWARDED_H
#define INTROSPECTD_HTTP_FORWARDED_H

#include "introspectd/ip_address.h"

/* The hops that are looked at, from the right: no chain of proxies is longer. */
enum { FORWARDED_MAX_HOPS = 32 };

/*
 * The first hop from the right that is in no trusted prefix, or the leftmost one when all are. What is no
 * address ends the walk at the hop before. lines are the header's values in the order of the request, one
 * list; nearest is whom the request came from, which the caller trusts, and the answer without a hop. It may
 * be the none: a Unix socket's peer.
 */
ip_address_t forwarded_peer(ip_address_t nearest, const slice_t *lines, size_t line_count,
                            const ip_prefix_t *trusted, size_t trusted_count);

#endif
