#include "caching.h"

#include "introspectd/slice.h"

#include <strings.h>
#include <time.h>

static slice_t trim(slice_t text)
{
    while (text.len > 0 && (text.base[0] == ' ' || text.base[0] == '\t')) {
        text.base++;
        text.len--;
    }
    while (text.len > 0 && (text.base[text.len - 1] == ' ' || text.base[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* delta-seconds (RFC 9111 section 1.2.2): digits and nothing else. */
static bool parse_seconds(slice_t text, int64_t *seconds)
{
    int64_t value = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return false;
        value = value * 10 + (text.base[i] - '0');
        if (value > CACHING_MAX_S)
            value = CACHING_MAX_S;
    }
    *seconds = value;
    return true;
}

/* The three forms of RFC 9110 section 5.6.7. */
static bool parse_date(const char *text, int64_t *time_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%a, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};
    if (text == NULL)
        return false;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm utc = {0};
        const char *end = strptime(text, forms[i], &utc);
        if (end != NULL && *end == '\0') {
            *time_s = timegm(&utc);
            return true;
        }
    }
    return false;
}

typedef struct directive {
    slice_t name;
    slice_t value; /* absent when there is none; without its quotes */
} directive_t;

static bool is_named(const directive_t *directive, const char *name)
{
    return directive->name.len == strlen(name) &&
           strncasecmp(directive->name.base, name, directive->name.len) == 0;
}

static slice_t unquote(slice_t value)
{
    if (value.len >= 2 && value.base[0] == '"' && value.base[value.len - 1] == '"')
        return (slice_t){value.base + 1, value.len - 2};
    return value;
}

/* The next directive from *rest, which moves on; false at the end. A comma between quotes separates nothing.
 */
static bool next_directive(const char **rest, directive_t *directive)
{
    const char *begin = *rest;
    const char *equals = NULL;
    const char *end = begin;
    bool is_quoted = false;
    if (*begin == '\0')
        return false;
    for (; *end != '\0' && (is_quoted || *end != ','); end++) {
        if (is_quoted && *end == '\\' && end[1] != '\0')
            end++;
        else if (*end == '"')
            is_quoted = !is_quoted;
        else if (*end == '=' && equals == NULL)
            equals = end;
    }
    directive->name = trim((slice_t){begin, (size_t)((equals == NULL ? end : equals) - begin)});
    directive->value = (slice_t){NULL, 0};
    if (equals != NULL)
        directive->value = unquote(trim((slice_t){equals + 1, (size_t)(end - equals - 1)}));
    *rest = *end == ',' ? end + 1 : end;
    return true;
}

/* Whether Cache-Control says a lifetime; the first max-age counts. */
static bool read_cache_control(const char *text, int64_t *lifetime_s)
{
    bool is_said = false;
    int64_t said_s = 0;
    directive_t directive;
    while (text != NULL && next_directive(&text, &directive)) {
        if (is_named(&directive, "no-store") || is_named(&directive, "no-cache")) {
            *lifetime_s = 0;
            return true;
        }
        if (!is_said && is_named(&directive, "max-age"))
            is_said = parse_seconds(directive.value, &said_s);
    }
    if (is_said)
        *lifetime_s = said_s;
    return is_said;
}

static bool read_expires(const caching_fields_t *fields, int64_t *lifetime_s)
{
    int64_t expires_s;
    int64_t date_s;
    if (fields->expires == NULL)
        return false;
    if (!parse_date(fields->expires, &expires_s)) {
        *lifetime_s = 0;
        return true;
    }
    if (!parse_date(fields->date, &date_s))
        return false;
    *lifetime_s = expires_s > date_s ? expires_s - date_s : 0;
    return true;
}

bool caching_lifetime(const caching_fields_t *fields, int64_t *lifetime_s)
{
    int64_t lifetime;
    int64_t age;
    if (!read_cache_control(fields->cache_control, &lifetime) && !read_expires(fields, &lifetime))
        return false;
    if (lifetime > CACHING_MAX_S)
        lifetime = CACHING_MAX_S;
    if (fields->age != NULL && parse_seconds(trim(slice_of(fields->age)), &age))
        lifetime = lifetime > age ? lifetime - age : 0;
    *lifetime_s = lifetime;
    return true;
}

int64_t caching_retry_after(const caching_fields_t *fields)
{
    int64_t seconds;
    int64_t retry_s;
    int64_t date_s;
    if (fields->retry_after == NULL)
        return 0;
    if (parse_seconds(trim(slice_of(fields->retry_after)), &seconds))
        return seconds;
    if (!parse_date(fields->retry_after, &retry_s) || !parse_date(fields->date, &date_s) || retry_s <= date_s)
        return 0;
    return retry_s - date_s < CACHING_MAX_S ? retry_s - date_s : CACHING_MAX_S;
}
