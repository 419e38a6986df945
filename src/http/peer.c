#include "peer.h"

#include "forwarded.h"

peer_t peer_of_socket(h2o_socket_t *socket)
{
    struct sockaddr_storage room;
    struct sockaddr *address = (struct sockaddr *)&room;
    peer_t peer = {.kind = PEER_HIDDEN};
    socklen_t len = h2o_socket_getpeername(socket, address);
    /* Who is gone already has no address, and is not to be taken for a Unix socket's peer. */
    if (len == 0)
        return peer;
    peer.address = ip_address_from_sockaddr(address, len);
    if (peer.address.family != IP_FAMILY_NONE)
        peer.kind = PEER_ADDRESS;
    else if (address->sa_family == AF_UNIX)
        peer.kind = PEER_UNIX_SOCKET;
    return peer;
}

bool peer_is_trusted(const peer_t *peer, const config_t *config)
{
    if (peer->kind != PEER_ADDRESS)
        return peer->kind == PEER_UNIX_SOCKET;
    return ip_prefixes_match(config->trusted_proxies, config->trusted_proxy_count, peer->address);
}

void peer_follow_proxy_header(peer_t *peer, const proxy_header_t *header)
{
    switch (header->origin) {
    case PROXY_HEADER_ORIGIN_LOCAL:
        break;
    case PROXY_HEADER_ORIGIN_CLIENT:
        *peer = (peer_t){.address = header->source, .kind = PEER_ADDRESS};
        break;
    case PROXY_HEADER_ORIGIN_UNKNOWN:
        /* What it forwards is somebody's claim who may be anybody. */
        peer->kind = PEER_HIDDEN;
        break;
    }
}

/* Gathers the last lines that there is room for; a hop needs one at most. The first that is filled. */
static size_t gather_lines(const h2o_req_t *req, slice_t lines[FORWARDED_MAX_HOPS])
{
    size_t first = FORWARDED_MAX_HOPS;
    for (size_t i = req->headers.size; i-- > 0 && first > 0;) {
        const h2o_header_t *header = &req->headers.entries[i];
        if (header->name == &H2O_TOKEN_X_FORWARDED_FOR->buf)
            lines[--first] = (slice_t){header->value.base, header->value.len};
    }
    return first;
}

ip_address_t peer_of_request(const peer_t *peer, const h2o_req_t *req, const config_t *config)
{
    slice_t lines[FORWARDED_MAX_HOPS];
    /* Who is trusted to speak the PROXY protocol is believed in a header only where one is said to be. */
    if (config->trusted_proxy_count == 0 || !peer_is_trusted(peer, config))
        return peer->address;
    size_t first = gather_lines(req, lines);
    return forwarded_peer(peer->address, lines + first, FORWARDED_MAX_HOPS - first, config->trusted_proxies,
                          config->trusted_proxy_count);
}
