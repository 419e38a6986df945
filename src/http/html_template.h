/*
 * html_template: a page with marks, filled from JSON. Any thread.
 *
 * {{AS PATH}} writes a value as HTML text, which is also good within an attribute's double quotes. AS is one
 * of
 *
 *   text    a string, or an integer without commas; nothing for null
 *   count   an integer: 12,345
 *   bytes   an integer: 1.5 MiB
 *   span    seconds: 2 h 5 min
 *   micros  microseconds, fractions too: 85.0 µs, 1.20 ms
 *   ratio   a part of one: 98.7 %
 *   rate    a number by second: 1,234.5
 *
 * and a number that is null, or not there, is a dash. {{if PATH}}...{{end}} and {{unless PATH}}...{{end}}
 * write what is between them if the value is, or is not, true, a number other than 0, or a text, array or
 * object that is not empty. {{each PATH}}...{{end}} writes it once for each item of an array. PATH is names
 * of members with dots between them; the first is looked for in the present item, then around it.
 */
#ifndef INTROSPECTD_HTTP_HTML_TEMPLATE_H
#define INTROSPECTD_HTTP_HTML_TEMPLATE_H

#include "introspectd/slice.h"

#include <jansson.h>
#include <stdio.h>

/* False when the marks of page are wrong. What the stream cannot take shows in its error. */
bool html_template_write(slice_t page, const json_t *values, FILE *out) __attribute__((warn_unused_result));

/* Writes text with what HTML gives a meaning escaped, and control characters (U+0000 to U+001F but white
 * space, U+007F to U+009F) as U+FFFD. text is UTF-8. */
void html_escape(slice_t text, FILE *out);

#endif
