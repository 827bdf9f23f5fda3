/* SPDX-License-Identifier: MIT */
/* Writes a part of a document as HTML, as its standard says. */
#ifndef SPT_HTML_SERIALISE_H
#define SPT_HTML_SERIALISE_H

#include "base/buf.h"
#include "html/budget.h"
#include "html/document.h"

/* Appends the markup of a node, or only of what lies in it if `inner`. Returns SPT_HTML_OK, or why
 * it ended early. */
enum spt_html_status spt_html_serialise(struct spt_buf *out, const struct spt_html_document *doc,
                                        uint32_t node, bool inner, struct spt_html_budget *budget);

/* Appends a text with "&", "<", ">", U+00A0 and quotes as references. */
int spt_html_serialise_escape(struct spt_buf *out, const char *text, size_t len);

#endif
