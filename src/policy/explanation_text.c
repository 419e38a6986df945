#include "introspectd/clock.h"
#include "introspectd/explanation.h"
#include "introspectd/json.h"

#include <inttypes.h>
#include <stdlib.h>

void explanation_distance(int64_t time_s, int64_t now_s, char out[EXPLANATION_DISTANCE_SIZE])
{
    static const struct {
        int64_t seconds;
        const char *name;
    } UNITS[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    int64_t distance = time_s > now_s ? time_s - now_s : now_s - time_s;
    size_t unit = 0;
    while (unit < 3 && distance < UNITS[unit].seconds)
        unit++;
    int64_t count = distance / UNITS[unit].seconds;
    snprintf(out, EXPLANATION_DISTANCE_SIZE, "%s%" PRId64 " %s%s%s", time_s > now_s ? "in " : "", count,
             UNITS[unit].name, count == 1 ? "" : "s", time_s > now_s ? "" : " ago");
}

static void print_date(FILE *out, const char *label, const introspect_story_t *story, const char *claim,
                       int64_t now_s)
{
    int64_t time_s;
    char date[CLOCK_RFC3339_SIZE];
    char distance[EXPLANATION_DISTANCE_SIZE];
    if (!explanation_date(story->payload, claim, &time_s))
        return;
    clock_format_rfc3339(time_s, date);
    explanation_distance(time_s, now_s, distance);
    fprintf(out, "%-11s %s (%s)\n", label, date, distance);
}

/* Prints a text out of the token with what could steer a terminal replaced. */
static void print_untrusted(FILE *out, const char *label, slice_t text)
{
    if (text.base == NULL)
        return;
    fprintf(out, "%-11s ", label);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.base[i];
        /* U+0080 to U+009F, the second set of control characters, begin with C2 in UTF-8. */
        bool is_control = byte < 0x20 || byte == 0x7f ||
                          (byte == 0xc2 && i + 1 < text.len && (unsigned char)text.base[i + 1] < 0xa0);
        if (is_control && byte == 0xc2)
            i++;
        fputc(is_control ? '?' : byte, out);
    }
    fputc('\n', out);
}

static void print_story(FILE *out, const explanation_t *explanation)
{
    const explained_client_t *headline = &explanation->clients[explanation->headline];
    const introspect_story_t *story = &headline->story;
    fprintf(out, "%-11s %s\n", "verdict:", explanation_verdict(headline));
    fprintf(out, "%-11s %s: %s\n", "reason:", reason_name(story->reason), reason_text(story->reason));
    if (story->missing_member != NULL)
        fprintf(out, "%-11s %s has no value in this token\n", "missing:", story->missing_member);
    fprintf(out, "%-11s %s\n", "token:", explanation->token_name);
    if (story->issuer != NULL)
        fprintf(out, "%-11s %s\n", "issuer:", story->issuer->rules.issuer);
    else
        print_untrusted(out, "issuer:", json_get_string(story->payload, "iss"));
    print_untrusted(out, "algorithm:", json_get_string(story->header, "alg"));
    print_untrusted(out, "type:", json_get_string(story->header, "typ"));
    print_untrusted(out, "key id:", story->kid);
    if (story->key != NULL)
        fprintf(out, "%-11s %s\n", "key:", story->key);
    fprintf(out, "%-11s %s\n",
            "signature:", story->signature_is_good ? "good" : "not verified: nothing in it can be trusted");
    print_date(out, "issued:", story, "iat", explanation->now_s);
    print_date(out, "not before:", story, "nbf", explanation->now_s);
    print_date(out, "expires:", story, "exp", explanation->now_s);
}

static bool print_answer(FILE *out, const explained_client_t *explained)
{
    const introspect_story_t *story = &explained->story;
    json_t *answer = explanation_answer(explained);
    char *text = answer == NULL ? NULL : json_dumps(answer, JSON_COMPACT);
    json_decref(answer);
    if (text == NULL)
        return false;
    fprintf(out, "\nclient %s (%s): %s", explained->client->client_id,
            profile_name(explained->client->profile), explanation_verdict(explained));
    if (story->reason != REASON_NONE)
        fprintf(out, ", %s", reason_name(story->reason));
    if (story->missing_member != NULL)
        fprintf(out, " %s", story->missing_member);
    fprintf(out, "\n  HTTP %d %s\n", explanation_status(explained), text);
    free(text);
    return true;
}

bool explanation_print(const explanation_t *explanation, FILE *out)
{
    print_story(out, explanation);
    for (size_t i = 0; i < explanation->client_count; i++) {
        if (!print_answer(out, &explanation->clients[i]))
            return false;
    }
    return true;
}
