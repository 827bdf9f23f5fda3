/* SPDX-License-Identifier: MIT */
/* Tests all elements of a range in their order. */
#include "html/select.h"

#include "html/match.h"
#include "septet/septet.h"

static enum spt_html_status append(struct spt_buf *out, uint32_t element)
{
    return spt_buf_append(out, &element, sizeof element) == SEPTET_OK ? SPT_HTML_OK
                                                                      : SPT_HTML_NO_MEMORY;
}

static enum spt_html_status walk(struct spt_html_match *m, struct spt_buf *out, bool one)
{
    const struct spt_html_document *doc = m->doc;
    const uint32_t end = doc->nodes[m->scope].end;
    enum spt_html_status status = SPT_HTML_OK;
    for (uint32_t i = m->scope + 1; i < end && status == SPT_HTML_OK;) {
        if (!spt_html_budget_spend(m->budget, 1))
            return m->budget->exceeded;
        const bool is_element = doc->nodes[i].kind == SPT_HTML_ELEMENT;
        const bool found = is_element && spt_html_match_element(m, i);
        if (m->budget->exceeded != SPT_HTML_OK)
            return m->budget->exceeded;
        if (found)
            status = append(out, i);
        if (found && one)
            break;
        i = is_element && spt_html_document_is(doc, i, "template") ? doc->nodes[i].end : i + 1;
    }
    return status;
}

enum spt_html_status spt_html_select(struct spt_buf *out, const struct spt_html_document *doc,
                                     uint32_t scope, const struct spt_html_selector *selector,
                                     bool one, struct spt_html_budget *budget)
{
    struct spt_html_match m;
    if (!spt_html_match_init(&m, doc, selector, scope, budget))
        return SPT_HTML_NO_MEMORY;
    enum spt_html_status status = walk(&m, out, one);
    spt_html_match_release(&m);
    return status;
}

enum spt_html_status spt_html_select_self(struct spt_buf *out, const struct spt_html_document *doc,
                                          uint32_t element,
                                          const struct spt_html_selector *selector,
                                          struct spt_html_budget *budget)
{
    struct spt_html_match m;
    enum spt_html_status status = SPT_HTML_OK;
    if (!spt_html_match_init(&m, doc, selector, element, budget))
        return SPT_HTML_NO_MEMORY;
    const bool found = spt_html_match_element(&m, element);
    if (budget->exceeded != SPT_HTML_OK)
        status = budget->exceeded;
    else if (found)
        status = append(out, element);
    spt_html_match_release(&m);
    return status;
}
