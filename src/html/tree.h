/* SPDX-License-Identifier: MIT */
/* Makes a document of gumbo's tree. It knows neither gumbo's memory nor its limits. */
#ifndef SPT_HTML_TREE_H
#define SPT_HTML_TREE_H

#include <gumbo.h>

#include "html/budget.h"
#include "html/document.h"

struct spt_html_tree_limits {
    struct spt_html_budget *budget; /* borrowed */
    size_t memory;                  /* bytes of the document */
    uint32_t depth;                 /* nesting of elements */
    unsigned attributes;            /* of an element */
};

/* Copies the tree. Returns SPT_HTML_OK and a document that the caller releases, or why there is
 * none. */
enum spt_html_status spt_html_tree_copy(struct spt_html_document **doc, const GumboOutput *output,
                                        const struct spt_html_tree_limits *limits);

#endif
