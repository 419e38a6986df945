/*
 * cache_digests: stands in for what the HTTP library does with the request header Cache-Digest, so that it
 * does nothing: the process's own symbol comes before the library's.
 */
#ifndef INTROSPECTD_HTTP_CACHE_DIGESTS_H
#define INTROSPECTD_HTTP_CACHE_DIGESTS_H

/* To be called once, so that the linker takes the module in. */
void cache_digests_ignore(void);

#endif
