/* SPDX-License-Identifier: MIT */
/* Parses a page with gumbo, as browsers do, into a document. The time, the memory, the depth and
 * the attributes are limited, because gumbo's time may grow with their squares. */
#ifndef SPT_HTML_PARSE_H
#define SPT_HTML_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "html/budget.h"
#include "html/document.h"

struct spt_html_parse_limits {
    size_t memory;       /* bytes for gumbo's tree, and again for the document */
    uint32_t depth;      /* nesting of elements */
    uint32_t attributes; /* of a tag */
};

/* Parses a text of less than 4 GiB, which is valid UTF-8 and is changed in place. Returns
 * SPT_HTML_OK and a document that the caller releases, or why there is none. Works in any thread.
 */
enum spt_html_status spt_html_parse(struct spt_html_document **doc, char *text, size_t len,
                                    const struct spt_html_parse_limits *limits,
                                    struct spt_html_budget *budget);

#endif
