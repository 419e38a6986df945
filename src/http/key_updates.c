#include "key_updates.h"

#include <pthread.h>
#include <stdint.h>

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int count_index = -1; /* of a connection's count among its data: the pointer is the count */

static void make_index(void)
{
    count_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static long fail_to_read(BIO *bio, int operation, const char *argp, size_t len, int argi, long argl,
                         int result, size_t *processed)
{
    (void)argp;
    (void)len;
    (void)argi;
    (void)argl;
    (void)processed;
    if (operation != BIO_CB_READ)
        return result;
    /* Else it would be for want of data. */
    BIO_clear_retry_flags(bio);
    return -1;
}

/* OpenSSL has no way to refuse a change of keys; that there is nothing more to read it must take. */
static void on_message(int is_written, int version, int type, const void *message, size_t len, SSL *ssl,
                       void *data)
{
    (void)version;
    (void)data;
    if (is_written || type != SSL3_RT_HANDSHAKE || len == 0 ||
        *(const unsigned char *)message != SSL3_MT_KEY_UPDATE)
        return;
    uintptr_t count = (uintptr_t)SSL_get_ex_data(ssl, count_index) + 1;
    if (SSL_set_ex_data(ssl, count_index, (void *)count) != 1 || count > KEY_UPDATES_MAX)
        BIO_set_callback_ex(SSL_get_rbio(ssl), fail_to_read);
}

bool key_updates_bound(SSL_CTX *context)
{
    if (pthread_once(&index_once, make_index) != 0 || count_index == -1)
        return false;
    SSL_CTX_set_msg_callback(context, on_message);
    return true;
}
