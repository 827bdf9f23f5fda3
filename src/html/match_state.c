/* SPDX-License-Identifier: MIT */
/* Tests the state of links and of forms as the page has it, and the text of an element. */
#include <string.h>
#include <strings.h>

#include "html/match_parts.h"

static bool has(const struct spt_html_match *m, uint32_t element, uint32_t name)
{
    return spt_html_match_find(m, &m->doc->nodes[element], name) != NULL;
}

static bool is_any(const struct spt_html_document *doc, uint32_t i, const char *const names[])
{
    for (; *names; names++)
        if (spt_html_document_is(doc, i, *names))
            return true;
    return false;
}

static bool is_checked(const struct spt_html_match *m, uint32_t element)
{
    if (spt_html_document_is(m->doc, element, "option"))
        return has(m, element, m->known.selected);
    if (!spt_html_document_is(m->doc, element, "input") || !has(m, element, m->known.checked))
        return false;
    const struct spt_html_attribute *a =
        spt_html_match_find(m, &m->doc->nodes[element], m->known.type);
    const char *type = a ? m->doc->text + a->value : "";
    return a && ((a->len == 8 && strncasecmp(type, "checkbox", 8) == 0) ||
                 (a->len == 5 && strncasecmp(type, "radio", 5) == 0));
}

/* Returns true if `child` is the first legend of its parent. */
static bool is_first_legend(const struct spt_html_match *m, uint32_t child)
{
    uint32_t i = child;
    if (!spt_html_document_is(m->doc, child, "legend"))
        return false;
    while ((i = spt_html_match_before(m, i)) != SPT_HTML_NONE)
        if (!spt_html_budget_spend(m->budget, 1) || spt_html_document_is(m->doc, i, "legend"))
            return false;
    return true;
}

/* Returns true if a fieldset or an optgroup around it is disabled. */
static bool is_disabled_around(const struct spt_html_match *m, uint32_t element)
{
    const struct spt_html_document *doc = m->doc;
    if (spt_html_document_is(doc, element, "option")) {
        uint32_t group = doc->nodes[element].parent;
        return spt_html_document_is(doc, group, "optgroup") && has(m, group, m->known.disabled);
    }
    if (spt_html_document_is(doc, element, "optgroup"))
        return false;
    for (uint32_t child = element, i; (i = doc->nodes[child].parent) != 0; child = i) {
        if (!spt_html_budget_spend(m->budget, 1))
            return false;
        if (spt_html_document_is(doc, i, "fieldset") && has(m, i, m->known.disabled) &&
            !is_first_legend(m, child))
            return true;
    }
    return false;
}

static bool is_enabled(const struct spt_html_match *m, uint32_t element, bool enabled)
{
    static const char *const controls[] = {"button",   "input",  "select",   "textarea",
                                           "optgroup", "option", "fieldset", NULL};
    if (!is_any(m->doc, element, controls))
        return false;
    return (has(m, element, m->known.disabled) || is_disabled_around(m, element)) != enabled;
}

static bool is_empty(const struct spt_html_match *m, uint32_t element)
{
    const struct spt_html_document *doc = m->doc;
    uint32_t i = spt_html_document_first(doc, element);
    for (; i != SPT_HTML_NONE; i = spt_html_document_next(doc, i))
        if (!spt_html_budget_spend(m->budget, 1) || doc->nodes[i].kind == SPT_HTML_ELEMENT ||
            (doc->nodes[i].kind == SPT_HTML_TEXT && doc->nodes[i].count > 0))
            return false;
    return true;
}

static bool contains(struct spt_html_match *m, const struct spt_html_simple *s, uint32_t element)
{
    const struct spt_html_document *doc = m->doc;
    const struct spt_html_string want = s->text;
    size_t k = 0; /* number of bytes that match so far */
    if (want.len == 0)
        return true;
    for (uint32_t i = element + 1; i < doc->nodes[element].end; i++) {
        const struct spt_html_node *node = &doc->nodes[i];
        if (!spt_html_budget_spend(m->budget, 1 + (node->kind == SPT_HTML_TEXT) * node->count / 8))
            return false;
        if (node->kind != SPT_HTML_TEXT)
            continue;
        const char *text = doc->text + node->first;
        for (uint32_t n = 0; n < node->count; n++) {
            while (k > 0 && text[n] != want.bytes[k])
                k = s->borders[k];
            k += text[n] == want.bytes[k];
            if (k == want.len)
                return true;
        }
    }
    return false;
}

bool spt_html_match_state(struct spt_html_match *m, const struct spt_html_simple *s,
                          uint32_t element)
{
    static const char *const links[] = {"a", "area", NULL};
    switch (s->test) {
    case SPT_HTML_TEST_EMPTY:
        return is_empty(m, element);
    case SPT_HTML_TEST_CONTAINS:
        return contains(m, s, element);
    case SPT_HTML_TEST_LINK:
        return has(m, element, m->known.href) && is_any(m->doc, element, links);
    case SPT_HTML_TEST_CHECKED:
        return is_checked(m, element);
    case SPT_HTML_TEST_DISABLED:
        return is_enabled(m, element, false);
    case SPT_HTML_TEST_ENABLED:
        return is_enabled(m, element, true);
    default:
        return false;
    }
}
