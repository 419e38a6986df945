/* The value of an Authorization header, up to the decision whose credentials they are. */
#include "fuzz.h"

#include "introspectd/client.h"

static bool is_inside(slice_t part, const char *buffer)
{
    return part.base == NULL ||
           (part.base >= buffer && part.base + part.len <= buffer + CLIENT_BASIC_BUFFER_SIZE);
}

static client_set_t *make_clients(digester_t *digester)
{
    static client_set_t set;
    static char client_id[] = "front";
    static client_t client = {.client_id = client_id};
    const slice_t secret = {"s:e%c", 5};
    if (digester == NULL || !client_set_init(&set) ||
        !client_set_secrets(&set, &client, digester, &secret, 1))
        abort();
    set.clients = &client;
    set.count = 1;
    client_set_finish(&set);
    return &set;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static digester_t *digester;
    static const client_set_t *clients;
    if (digester == NULL) {
        digester = digester_new();
        clients = make_clients(digester);
    }
    char buffer[CLIENT_BASIC_BUFFER_SIZE];
    client_credentials_t credentials;
    if (client_parse_basic((slice_t){(const char *)data, size}, buffer, &credentials) != CLIENT_BASIC_OK)
        return 0;
    FUZZ_CHECK(is_inside(credentials.client_id, buffer) && is_inside(credentials.client_secret, buffer));
    FUZZ_CHECK(is_inside(credentials.decoded_client_id, buffer));
    FUZZ_CHECK(is_inside(credentials.decoded_client_secret, buffer));
    const client_t *client = client_authenticate(clients, digester, &credentials);
    FUZZ_CHECK(client == NULL || slice_equal(credentials.client_secret, slice_of("s:e%c")) ||
               slice_equal(credentials.decoded_client_secret, slice_of("s:e%c")));
    return 0;
}
