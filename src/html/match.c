/* SPDX-License-Identifier: MIT */
/* Matches from right to left. What a failure means for the elements further out is returned, so
 * that selectors of many parts do not try all combinations. Recurses only as deep as the
 * selector. */
#include "html/match.h"

#include <stdlib.h>
#include <string.h>

#include "html/match_parts.h"

enum verdict {
    MATCHES,
    FAILS,          /* here: another element further out may match */
    FAILS_FOR_GOOD, /* no element further out can match either */
};

static bool match_list(struct spt_html_match *m, const struct spt_html_list *list,
                       uint32_t element);

/* --- :has() --- */

/* Sets the range of elements that a selector of :has() may end at. */
static void range_of(const struct spt_html_match *m, const struct spt_html_complex *complex,
                     uint32_t element, uint32_t *from, uint32_t *to)
{
    const struct spt_html_node *nodes = m->doc->nodes;
    const bool inside = complex->lead == SPT_HTML_COMBINATOR_DESCENDANT ||
                        complex->lead == SPT_HTML_COMBINATOR_CHILD;
    *from = inside ? element + 1 : nodes[element].end;
    *to = inside ? nodes[element].end : nodes[nodes[element].parent].end;
}

static enum verdict match_compound(struct spt_html_match *m,
                                   const struct spt_html_compound *compound, uint32_t element);

static bool match_has(struct spt_html_match *m, const struct spt_html_list *list, uint32_t element)
{
    const uint32_t outer = m->anchor;
    bool found = false;
    m->anchor = element;
    for (const struct spt_html_complex *c = list->first; c && !found; c = c->next) {
        uint32_t from, to;
        for (range_of(m, c, element, &from, &to); from < to && !found; from++) {
            if (!spt_html_budget_spend(m->budget, 1))
                break;
            found = m->doc->nodes[from].kind == SPT_HTML_ELEMENT &&
                    match_compound(m, c->last, from) == MATCHES;
        }
    }
    m->anchor = outer;
    return found;
}

/* --- compounds --- */

static bool match_simple(struct spt_html_match *m, const struct spt_html_simple *s,
                         uint32_t element)
{
    const struct spt_html_node *node = &m->doc->nodes[element];
    switch (s->test) {
    case SPT_HTML_TEST_ANY:
        return true;
    case SPT_HTML_TEST_TYPE:
        return node->name == m->names[s->slot + (node->space != SPT_HTML_SPACE_HTML)];
    case SPT_HTML_TEST_ID:
        return spt_html_match_id(m, s, node);
    case SPT_HTML_TEST_CLASS:
        return spt_html_match_class(m, s, node);
    case SPT_HTML_TEST_ATTRIBUTE:
        return spt_html_match_attribute(m, s, node);
    case SPT_HTML_TEST_NTH:
        return spt_html_match_nth(m, s, element, match_list);
    case SPT_HTML_TEST_ROOT:
        return node->parent == 0;
    case SPT_HTML_TEST_SCOPE:
        return m->scope == 0 ? node->parent == 0 : element == m->scope;
    case SPT_HTML_TEST_ANCHOR:
        return element == m->anchor;
    case SPT_HTML_TEST_IS:
        return match_list(m, s->list, element);
    case SPT_HTML_TEST_NOT:
        return !match_list(m, s->list, element);
    case SPT_HTML_TEST_HAS:
        return match_has(m, s->list, element);
    default:
        return spt_html_match_state(m, s, element);
    }
}

static enum verdict match_ancestors(struct spt_html_match *m, const struct spt_html_compound *left,
                                    uint32_t element)
{
    while ((element = m->doc->nodes[element].parent) != 0) {
        if (!spt_html_budget_spend(m->budget, 1))
            break;
        enum verdict v = match_compound(m, left, element);
        if (v != FAILS)
            return v;
    }
    return FAILS_FOR_GOOD;
}

static enum verdict match_siblings(struct spt_html_match *m, const struct spt_html_compound *left,
                                   uint32_t element)
{
    while ((element = spt_html_match_before(m, element)) != SPT_HTML_NONE) {
        if (!spt_html_budget_spend(m->budget, 1))
            break;
        enum verdict v = match_compound(m, left, element);
        if (v != FAILS)
            return v;
    }
    return FAILS;
}

static enum verdict match_compound(struct spt_html_match *m,
                                   const struct spt_html_compound *compound, uint32_t element)
{
    for (const struct spt_html_simple *s = compound->first; s; s = s->next)
        if (!spt_html_budget_spend(m->budget, 1) || !match_simple(m, s, element))
            return FAILS;
    if (!compound->left)
        return MATCHES;
    uint32_t other = SPT_HTML_NONE;
    switch ((enum spt_html_combinator)compound->combinator) {
    case SPT_HTML_COMBINATOR_DESCENDANT:
        return match_ancestors(m, compound->left, element);
    case SPT_HTML_COMBINATOR_LATER:
        return match_siblings(m, compound->left, element);
    case SPT_HTML_COMBINATOR_CHILD:
        other = m->doc->nodes[element].parent;
        return other == 0 ? FAILS_FOR_GOOD : match_compound(m, compound->left, other);
    case SPT_HTML_COMBINATOR_NEXT:
        other = spt_html_match_before(m, element);
        break;
    case SPT_HTML_COMBINATOR_NONE:
        break;
    }
    return other == SPT_HTML_NONE ? FAILS : match_compound(m, compound->left, other);
}

static bool match_list(struct spt_html_match *m, const struct spt_html_list *list, uint32_t element)
{
    for (const struct spt_html_complex *c = list->first; c; c = c->next)
        if (match_compound(m, c->last, element) == MATCHES)
            return true;
    return false;
}

bool spt_html_match_element(struct spt_html_match *m, uint32_t element)
{
    return match_list(m, m->selector->list, element);
}

/* --- preparation --- */

static uint32_t number_of(const struct spt_html_match *m, struct spt_html_string name)
{
    return spt_html_document_name(m->doc, name.bytes, name.len);
}

static void bind_list(struct spt_html_match *m, const struct spt_html_list *list);

static void bind_simple(struct spt_html_match *m, const struct spt_html_simple *s)
{
    if (s->test == SPT_HTML_TEST_TYPE || s->test == SPT_HTML_TEST_ATTRIBUTE) {
        m->names[s->slot] = number_of(m, s->name);
        m->names[s->slot + 1] = number_of(m, s->test == SPT_HTML_TEST_TYPE ? s->text : s->exact);
    }
    if (s->list)
        bind_list(m, s->list);
}

static void bind_list(struct spt_html_match *m, const struct spt_html_list *list)
{
    for (const struct spt_html_complex *c = list->first; c; c = c->next)
        for (const struct spt_html_compound *left = c->last; left; left = left->left)
            for (const struct spt_html_simple *s = left->first; s; s = s->next)
                bind_simple(m, s);
}

static uint32_t known(const struct spt_html_document *doc, const char *name)
{
    return spt_html_document_name(doc, name, strlen(name));
}

bool spt_html_match_init(struct spt_html_match *m, const struct spt_html_document *doc,
                         const struct spt_html_selector *selector, uint32_t scope,
                         struct spt_html_budget *budget)
{
    const size_t places = (size_t)selector->caches * SPT_HTML_MATCH_PLACES;
    *m = (struct spt_html_match){doc, selector, budget, scope, SPT_HTML_NONE, NULL, NULL, {0}};
    m->names = malloc(selector->names * sizeof *m->names + 1);
    m->places = malloc(places * sizeof *m->places + 1);
    if (!m->names || !m->places) {
        spt_html_match_release(m);
        return false;
    }
    for (size_t i = 0; i < places; i++)
        m->places[i].parent = SPT_HTML_NONE;
    m->known = (struct spt_html_match_names){
        .id = known(doc, "id"),
        .class = known(doc, "class"),
        .href = known(doc, "href"),
        .type = known(doc, "type"),
        .checked = known(doc, "checked"),
        .selected = known(doc, "selected"),
        .disabled = known(doc, "disabled"),
    };
    bind_list(m, selector->list);
    return true;
}

void spt_html_match_release(struct spt_html_match *m)
{
    free(m->names);
    free(m->places);
}
