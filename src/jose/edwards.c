#include "edwards.h"

#include <openssl/bn.h>

/* a x^2 + y^2 = 1 + d x^2 y^2 over the field of p elements; the cofactor is 2 to the power cofactor_bits. */
typedef struct equation {
    const char *p;
    const char *a;
    const char *d;
    unsigned cofactor_bits;
} equation_t;

static const equation_t EQUATION_25519 = {
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed",
    "-1",
    "52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3",
    3,
};

static const equation_t EQUATION_448 = {
    "fffffffffffffffffffffffffffffffffffffffffffffffffffffffe"
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "1",
    "-98a9",
    2,
};

typedef struct field {
    BN_CTX *ctx;
    BIGNUM *p, *a, *d;
    BIGNUM *y, *yy, *xx, *u, *v; /* yy and xx are the squares of the coordinates */
} field_t;

static bool field_init(field_t *field, const equation_t *equation)
{
    field->ctx = BN_CTX_new();
    if (field->ctx == NULL)
        return false;
    BN_CTX_start(field->ctx);
    field->p = BN_CTX_get(field->ctx);
    field->a = BN_CTX_get(field->ctx);
    field->d = BN_CTX_get(field->ctx);
    field->y = BN_CTX_get(field->ctx);
    field->yy = BN_CTX_get(field->ctx);
    field->xx = BN_CTX_get(field->ctx);
    field->u = BN_CTX_get(field->ctx);
    field->v = BN_CTX_get(field->ctx);
    return field->v != NULL && BN_hex2bn(&field->p, equation->p) != 0 &&
           BN_hex2bn(&field->a, equation->a) != 0 && BN_hex2bn(&field->d, equation->d) != 0;
}

static void field_deinit(field_t *field)
{
    if (field->ctx != NULL)
        BN_CTX_end(field->ctx);
    BN_CTX_free(field->ctx);
}

/* The sign of x stands in the top bit of the last byte; what is left is y, little-endian. */
static bool read_y(field_t *field, const edwards_curve_t *curve, const unsigned char *key)
{
    unsigned char bytes[EDWARDS_KEY_MAX];
    memcpy(bytes, key, curve->key_len);
    bytes[curve->key_len - 1] &= 0x7f;
    return BN_lebin2bn(bytes, (int)curve->key_len, field->y) != NULL;
}

/* From y: yy, u and v with xx = u / v = (1 - yy) / (a - d yy). v is never 0 because d / a is no square. */
static bool set_ratio(field_t *f)
{
    return BN_mod_sqr(f->yy, f->y, f->p, f->ctx) && BN_mod_sub(f->u, BN_value_one(), f->yy, f->p, f->ctx) &&
           BN_mod_mul(f->v, f->d, f->yy, f->p, f->ctx) && BN_mod_sub(f->v, f->a, f->v, f->p, f->ctx);
}

/* y of the doubled point: (yy - a xx) / (2 - a xx - yy). */
static bool double_point(field_t *f)
{
    return set_ratio(f) && BN_mod_inverse(f->v, f->v, f->p, f->ctx) != NULL &&
           BN_mod_mul(f->xx, f->u, f->v, f->p, f->ctx) && BN_mod_mul(f->xx, f->a, f->xx, f->p, f->ctx) &&
           BN_mod_sub(f->u, f->yy, f->xx, f->p, f->ctx) && BN_mod_add(f->v, f->yy, f->xx, f->p, f->ctx) &&
           BN_set_word(f->y, 2) && BN_mod_sub(f->v, f->y, f->v, f->p, f->ctx) &&
           BN_mod_inverse(f->v, f->v, f->p, f->ctx) != NULL && BN_mod_mul(f->y, f->u, f->v, f->p, f->ctx);
}

static edwards_status_t check_point(field_t *field, const equation_t *equation)
{
    if (BN_cmp(field->y, field->p) >= 0)
        return EDWARDS_OFF_CURVE;
    if (!set_ratio(field) || !BN_mod_mul(field->u, field->u, field->v, field->p, field->ctx))
        return EDWARDS_ERROR;
    int symbol = BN_kronecker(field->u, field->p, field->ctx);
    if (symbol < -1)
        return EDWARDS_ERROR;
    if (symbol == -1)
        return EDWARDS_OFF_CURVE;
    for (unsigned i = 0; i < equation->cofactor_bits; i++) {
        if (!double_point(field))
            return EDWARDS_ERROR;
    }
    return BN_is_one(field->y) ? EDWARDS_SMALL_ORDER : EDWARDS_OK;
}

edwards_status_t edwards_check(const edwards_curve_t *curve, const unsigned char *key)
{
    const equation_t *equation = curve->key_len == EDWARDS_KEY_MAX ? &EQUATION_448 : &EQUATION_25519;
    field_t field = {0};
    edwards_status_t status = EDWARDS_ERROR;
    if (field_init(&field, equation) && read_y(&field, curve, key))
        status = check_point(&field, equation);
    field_deinit(&field);
    return status;
}
