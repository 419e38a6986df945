#include "key_report.h"

#include "introspectd/log.h"

enum { MAX_KID_BYTES = 64 };

/* A prefix that ends between two characters. */
static json_t *short_kid(slice_t kid)
{
    if (kid.base == NULL)
        return NULL;
    size_t len = kid.len < MAX_KID_BYTES ? kid.len : MAX_KID_BYTES;
    while (len < kid.len && len > 0 && ((unsigned char)kid.base[len] & 0xc0) == 0x80)
        len--;
    return json_stringn(kid.base, len);
}

void key_report_note(void *data, const keyset_note_t *note)
{
    key_report_t *report = data;
    if (note->is_skipped && report->first_skipped == NULL) {
        report->first_skipped = note->text;
        report->first_skipped_index = note->index;
    }
    if (report->note_count == KEY_REPORT_MAX_NOTES) {
        report->left_out++;
        return;
    }
    json_t *fields = json_pack("{s:I, s:o*, s:b, s:s}", "key", (json_int_t)note->index, "kid",
                               short_kid(note->kid), "skipped", note->is_skipped, "note", note->text);
    if (fields == NULL)
        report->left_out++;
    else
        report->notes[report->note_count++] = fields;
}

void key_report_deinit(key_report_t *report)
{
    for (size_t i = 0; i < report->note_count; i++)
        json_decref(report->notes[i]);
}

void key_report_changed(key_report_t *report, const char *issuer, const char *url, const keyset_t *keyset)
{
    log_event(
        LOG_LEVEL_INFO, "keys_changed",
        json_pack("{s:s, s:I, s:s}", "issuer", issuer, "keys", (json_int_t)keyset_size(keyset), "url", url));
    for (size_t i = 0; i < report->note_count; i++) {
        json_t *fields = json_pack("{s:s}", "issuer", issuer);
        if (fields != NULL)
            json_object_update(fields, report->notes[i]);
        log_event(LOG_LEVEL_WARN, "key_note", fields);
    }
    if (report->left_out > 0)
        log_event(LOG_LEVEL_WARN, "key_notes_left_out",
                  json_pack("{s:s, s:I}", "issuer", issuer, "count", (json_int_t)report->left_out));
}

void key_report_failed(const key_report_failure_t *failure)
{
    log_event(LOG_LEVEL_WARN, "keys_refresh_failed",
              json_pack("{s:s, s:s, s:s, s:I, s:I, s:b}", "issuer", failure->issuer, "url", failure->url,
                        "problem", failure->problem, "failures", (json_int_t)failure->failures, "retry_in_s",
                        (json_int_t)failure->retry_in_s, "has_keys", failure->has_keys));
}

void key_report_stale(const char *issuer, const char *url, int64_t stale_max_s)
{
    log_event(
        LOG_LEVEL_ERROR, "keys_stale",
        json_pack("{s:s, s:s, s:I}", "issuer", issuer, "url", url, "stale_max_s", (json_int_t)stale_max_s));
}
