/* SPDX-License-Identifier: MIT */
/* Tests elements of a document against a selector. It knows the two of them, and no order in which
 * elements are tested; the order of the page is fastest. */
#ifndef SPT_HTML_MATCH_H
#define SPT_HTML_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "html/matcher.h"

/* Prepares tests of elements in `scope`. Returns false if memory is too short. */
bool spt_html_match_init(struct spt_html_match *m, const struct spt_html_document *doc,
                         const struct spt_html_selector *selector, uint32_t scope,
                         struct spt_html_budget *budget);
void spt_html_match_release(struct spt_html_match *m);

/* Returns true if the element matches. What it returns means nothing if the budget is exceeded. */
bool spt_html_match_element(struct spt_html_match *m, uint32_t element);

#endif
