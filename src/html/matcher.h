/* SPDX-License-Identifier: MIT */
/* The state of a search: a document, a selector, and what is remembered between tests. */
#ifndef SPT_HTML_MATCHER_H
#define SPT_HTML_MATCHER_H

#include "html/budget.h"
#include "html/css.h"
#include "html/document.h"

struct spt_html_place;

/* Numbers of names that tests ask for. */
struct spt_html_match_names {
    uint32_t id, class, href, type, checked, selected, disabled;
};

struct spt_html_match {
    const struct spt_html_document *doc; /* borrowed, like the next two */
    const struct spt_html_selector *selector;
    struct spt_html_budget *budget;
    uint32_t scope;                /* the node that is searched in */
    uint32_t anchor;               /* of the innermost :has() that is tested */
    uint32_t *names;               /* owned; numbers of the selector's names, by slot */
    struct spt_html_place *places; /* owned; SPT_HTML_MATCH_PLACES for each slot */
    struct spt_html_match_names known;
};

#endif
