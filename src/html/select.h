/* SPDX-License-Identifier: MIT */
/* Finds the elements in a node that match a selector. */
#ifndef SPT_HTML_SELECT_H
#define SPT_HTML_SELECT_H

#include "base/buf.h"
#include "html/budget.h"
#include "html/document.h"
#include "html/selector.h"

/* Appends the numbers of the elements that lie in `scope` and match, in the order of the page, each
 * as a uint32_t. With `one`, only the first. What a <template> holds is found only from within it.
 * Returns SPT_HTML_OK, or why it ended early. */
enum spt_html_status spt_html_select(struct spt_buf *out, const struct spt_html_document *doc,
                                     uint32_t scope, const struct spt_html_selector *selector,
                                     bool one, struct spt_html_budget *budget);

/* Appends the number of an element if it matches. `scope` is as above. */
enum spt_html_status spt_html_select_self(struct spt_buf *out, const struct spt_html_document *doc,
                                          uint32_t element,
                                          const struct spt_html_selector *selector,
                                          struct spt_html_budget *budget);

#endif
