/* SPDX-License-Identifier: MIT */
/* The tests of simple selectors. Private to match.c and match_*.c. */
#ifndef SPT_HTML_MATCH_PARTS_H
#define SPT_HTML_MATCH_PARTS_H

#include "html/matcher.h"

enum { SPT_HTML_MATCH_PLACES = 64 }; /* number of places remembered for each test of them */

/* The place of an element among the siblings that count, when it was last asked for. */
struct spt_html_place {
    uint32_t parent, name; /* what is counted; SPT_HTML_NONE: nothing is remembered */
    uint32_t element, place;
};

/* Returns the node's attribute of that name, or NULL. */
static inline const struct spt_html_attribute *spt_html_match_find(const struct spt_html_match *m,
                                                                   const struct spt_html_node *node,
                                                                   uint32_t name)
{
    if (node->kind != SPT_HTML_ELEMENT || !spt_html_budget_spend(m->budget, node->count / 8))
        return NULL;
    return spt_html_document_attribute(m->doc, node, name);
}

/* Like spt_html_document_element_before(), but each comment and text that it passes is a step. */
static inline uint32_t spt_html_match_before(const struct spt_html_match *m, uint32_t i)
{
    do {
        i = m->doc->nodes[i].previous;
    } while (i != SPT_HTML_NONE && m->doc->nodes[i].kind != SPT_HTML_ELEMENT &&
             spt_html_budget_spend(m->budget, 1));
    return i;
}

/* Returns the element behind `i` among its siblings, or SPT_HTML_NONE. */
static inline uint32_t spt_html_match_behind(const struct spt_html_match *m, uint32_t i)
{
    do {
        i = spt_html_document_next(m->doc, i);
    } while (i != SPT_HTML_NONE && m->doc->nodes[i].kind != SPT_HTML_ELEMENT &&
             spt_html_budget_spend(m->budget, 1));
    return i;
}

typedef bool spt_html_match_list(struct spt_html_match *m, const struct spt_html_list *list,
                                 uint32_t element);

/* Tests of attributes (match_attribute.c). */
bool spt_html_match_attribute(const struct spt_html_match *m, const struct spt_html_simple *s,
                              const struct spt_html_node *node);
bool spt_html_match_id(const struct spt_html_match *m, const struct spt_html_simple *s,
                       const struct spt_html_node *node);
bool spt_html_match_class(const struct spt_html_match *m, const struct spt_html_simple *s,
                          const struct spt_html_node *node);

/* Tests of the place among siblings (match_nth.c). `list` tests for "of". */
bool spt_html_match_nth(struct spt_html_match *m, const struct spt_html_simple *s, uint32_t element,
                        spt_html_match_list *list);

/* Tests of what an element is for, and what it holds (match_state.c). */
bool spt_html_match_state(struct spt_html_match *m, const struct spt_html_simple *s,
                          uint32_t element);

#endif
