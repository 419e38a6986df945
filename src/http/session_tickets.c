#include "session_tickets.h"

#include "ticket_keys.h"

#include "introspectd/clock.h"

#include <openssl/x509.h>
#include <pthread.h>
#include <string.h>

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int keys_index = -1; /* of a context's keys among its data */

static void release_keys(void *context, void *keys, CRYPTO_EX_DATA *data, int index, long argl, void *argp)
{
    (void)context;
    (void)data;
    (void)index;
    (void)argl;
    (void)argp;
    ticket_keys_release(keys);
}

static void make_index(void)
{
    keys_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, release_keys);
}

static int on_ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                         EVP_MAC_CTX *mac, int is_sealing)
{
    ticket_keys_t *keys = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keys_index);
    return (int)(is_sealing ? ticket_keys_seal(keys, name, iv, cipher, mac)
                            : ticket_keys_open(keys, name, iv, cipher, mac));
}

/* On the monotonic clock, which ends with the process as the keys do. */
static int64_t deadline_ms(SSL_SESSION *session, int64_t lifetime_s)
{
    int64_t left_s = lifetime_s;
    X509 *client = SSL_SESSION_get0_peer(session);
    int days;
    int seconds;
    if (client != NULL) {
        if (ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(client)) != 1)
            return INT64_MIN;
        int64_t valid_s = (int64_t)days * 86400 + seconds;
        left_s = valid_s < left_s ? valid_s : left_s;
    }
    return clock_monotonic_ms() + left_s * 1000;
}

/* TLS 1.3 seals a new session of full age each time one is resumed: what was noted at the full handshake
 * goes with it. */
static int note_deadline(SSL *ssl, void *keys)
{
    SSL_SESSION *session = SSL_get_session(ssl);
    void *noted;
    size_t len;
    if (SSL_SESSION_get0_ticket_appdata(session, &noted, &len) == 1 && len == sizeof(int64_t))
        return 1;
    int64_t deadline = deadline_ms(session, ticket_keys_lifetime_s(keys));
    return SSL_SESSION_set1_ticket_appdata(session, &deadline, sizeof(deadline));
}

static bool is_over(SSL_SESSION *session)
{
    void *noted;
    size_t len;
    int64_t deadline;
    if (SSL_SESSION_get0_ticket_appdata(session, &noted, &len) != 1 || len != sizeof(deadline))
        return true;
    memcpy(&deadline, noted, sizeof(deadline));
    return clock_monotonic_ms() >= deadline;
}

static SSL_TICKET_RETURN judge_ticket(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
                                      size_t key_name_len, SSL_TICKET_STATUS status, void *keys)
{
    (void)ssl;
    (void)key_name;
    (void)key_name_len;
    (void)keys;
    bool is_opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
    if (!is_opened || is_over(session))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* A new reference. */
static ticket_keys_t *keys_for(int64_t lifetime_s, const SSL_CTX *predecessor)
{
    ticket_keys_t *keys = predecessor == NULL ? NULL : SSL_CTX_get_ex_data(predecessor, keys_index);
    if (keys != NULL && ticket_keys_lifetime_s(keys) == lifetime_s)
        return ticket_keys_acquire(keys);
    return ticket_keys_new(lifetime_s);
}

bool session_tickets_enable(SSL_CTX *context, int64_t lifetime_s, const SSL_CTX *predecessor)
{
    if (pthread_once(&index_once, make_index) != 0 || keys_index == -1)
        return false;
    ticket_keys_t *keys = keys_for(lifetime_s, predecessor);
    if (keys == NULL)
        return false;
    if (SSL_CTX_set_ex_data(context, keys_index, keys) != 1) {
        ticket_keys_release(keys);
        return false;
    }
    /* Sessions are in the clients' tickets alone, so that they outlive the context and cost no memory. */
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, (long)lifetime_s);
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket_key) == 1 &&
           SSL_CTX_set_session_ticket_cb(context, note_deadline, judge_ticket, keys) == 1;
}
