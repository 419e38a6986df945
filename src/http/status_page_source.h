/* status_page_source: the text of status_page.html, which the build puts into the program. */
#ifndef INTROSPECTD_HTTP_STATUS_PAGE_SOURCE_H
#define INTROSPECTD_HTTP_STATUS_PAGE_SOURCE_H

#include "introspectd/slice.h"

/* Static; a page for html_template_write, whose marks take the members of status_json and "nonce", "options",
 * "said" and "form_problem". */
slice_t status_page_source(void);

#endif
