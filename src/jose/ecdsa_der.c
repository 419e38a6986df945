#include "ecdsa_der.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/ec.h>

enum { TAG_INTEGER = 0x02, TAG_SEQUENCE = 0x30, LONG_FORM_1 = 0x81, SHORT_FORM_MAX = 127 };

/* An unsigned integer without needless zeros, but with one in front where the top bit would mean a sign. */
static size_t write_integer(const unsigned char *bytes, size_t len, unsigned char *out)
{
    while (len > 1 && bytes[0] == 0) {
        bytes++;
        len--;
    }
    size_t sign = bytes[0] >> 7;
    out[0] = TAG_INTEGER;
    out[1] = (unsigned char)(len + sign);
    out[2] = 0;
    memcpy(out + 2 + sign, bytes, len);
    return 2 + sign + len;
}

size_t ecdsa_raw_to_der(const unsigned char *raw, size_t coordinate_len, unsigned char out[ECDSA_DER_MAX])
{
    unsigned char body[ECDSA_DER_MAX];
    size_t body_len = write_integer(raw, coordinate_len, body);
    body_len += write_integer(raw + coordinate_len, coordinate_len, body + body_len);
    size_t at = 0;
    out[at++] = TAG_SEQUENCE;
    if (body_len > SHORT_FORM_MAX)
        out[at++] = LONG_FORM_1;
    out[at++] = (unsigned char)body_len;
    memcpy(out + at, body, body_len);
    return at + body_len;
}

bool ecdsa_der_to_raw(const unsigned char *der, size_t der_len, unsigned char *raw, size_t coordinate_len)
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)der_len);
    if (signature == NULL)
        return false;
    int len = (int)coordinate_len;
    bool is_done = BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, len) == len &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + coordinate_len, len) == len;
    ECDSA_SIG_free(signature);
    return is_done;
}
