/* SPDX-License-Identifier: MIT */
/* The text of a part of a page: as a reader sees it, or as it is written. */
#ifndef SPT_HTML_TEXT_H
#define SPT_HTML_TEXT_H

#include "base/buf.h"
#include "html/budget.h"
#include "html/document.h"

/* Appends the text of a node as it is shown: blanks are one, blocks stand on lines of their own, an
 * empty line separates paragraphs, a tab the cells of a table. Scripts, styles and what is hidden
 * are left out, unless the node is one of them. Returns SPT_HTML_OK, or why it ended early. */
enum spt_html_status spt_html_text_shown(struct spt_buf *out, const struct spt_html_document *doc,
                                         uint32_t node, struct spt_html_budget *budget);

/* Appends all text in a node, but what templates hold. */
enum spt_html_status spt_html_text_raw(struct spt_buf *out, const struct spt_html_document *doc,
                                       uint32_t node, struct spt_html_budget *budget);

#endif
