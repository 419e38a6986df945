#include "numeric_date.h"

#include "introspectd/claims.h"

bool numeric_date_read(const json_t *value, numeric_date_t *out)
{
    if (json_is_integer(value)) {
        json_int_t integer = json_integer_value(value);
        if (integer < 0 || integer > CLAIMS_MAX_DATE)
            return false;
        *out = (numeric_date_t){.floor_s = integer, .ceil_s = integer};
        return true;
    }
    if (json_is_real(value)) {
        double real = json_real_value(value);
        if (!(real >= 0 && real <= (double)CLAIMS_MAX_DATE))
            return false;
        int64_t floor_s = (int64_t)real;
        *out = (numeric_date_t){.floor_s = floor_s, .ceil_s = floor_s + ((double)floor_s < real ? 1 : 0)};
        return true;
    }
    return false;
}
