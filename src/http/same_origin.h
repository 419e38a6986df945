/*
 * same_origin: whether a request to the admin listener, which asks nobody for a password, may come from a web
 * page of somebody else in an operator's browser. Any thread.
 */
#ifndef INTROSPECTD_HTTP_SAME_ORIGIN_H
#define INTROSPECTD_HTTP_SAME_ORIGIN_H

#include "introspectd/slice.h"

/*
 * Whether host, a Host header's value, is an IP address or "localhost", with or without a port. Any other
 * name may be somebody else's that resolves to an address of ours (DNS rebinding), and a browser takes what
 * is served then for a page of that somebody.
 */
bool same_origin_host_is_safe(slice_t host);

/*
 * Whether a request that was sent to host comes from a page of the same origin or from no page at all, by its
 * headers Origin (RFC 6454 section 7) and Sec-Fetch-Site (W3C Fetch Metadata), absent where they were not
 * sent.
 */
bool same_origin_sender_is_own(slice_t host, slice_t origin, slice_t fetch_site);

#endif
