/* SPDX-License-Identifier: MIT */
/* Walks the nodes in their order, and writes an end tag when the walk has left an element. */
#include "html/serialise.h"

#include <string.h>

#include "septet/septet.h"

enum { NBSP_LEN = 2 };

struct writer {
    struct spt_buf *out;
    const struct spt_html_document *doc;
    enum spt_html_status status;
};

static void put(struct writer *w, const char *bytes, size_t len)
{
    if (w->status == SPT_HTML_OK && spt_buf_append(w->out, bytes, len) != SEPTET_OK)
        w->status = SPT_HTML_NO_MEMORY;
}

static void put_word(struct writer *w, const char *word)
{
    put(w, word, strlen(word));
}

static bool is_any(const struct spt_html_document *doc, uint32_t i, const char *const names[])
{
    for (; *names; names++)
        if (spt_html_document_is(doc, i, *names))
            return true;
    return false;
}

/* --- texts --- */

/* Returns the reference for the character at hand, or NULL. Sets the length of the character. */
static const char *reference_of(const char *text, size_t left, bool apostrophe, size_t *len)
{
    *len = 1;
    switch (*text) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return apostrophe ? "&#39;" : NULL;
    case '\xc2':
        *len = NBSP_LEN;
        return left > 1 && text[1] == '\xa0' ? "&nbsp;" : NULL;
    default:
        return NULL;
    }
}

static int escape(struct spt_buf *out, const char *text, size_t len, bool quotes, bool apostrophe)
{
    size_t from = 0, n;
    int rc = SEPTET_OK;
    for (size_t i = 0; i < len && rc == SEPTET_OK; i++) {
        const char *reference = reference_of(text + i, len - i, apostrophe, &n);
        if (!reference || (!quotes && text[i] == '"'))
            continue;
        rc = spt_buf_append(out, text + from, i - from);
        if (rc == SEPTET_OK)
            rc = spt_buf_append(out, reference, strlen(reference));
        from = i + n;
        i = from - 1;
    }
    return rc == SEPTET_OK ? spt_buf_append(out, text + from, len - from) : rc;
}

int spt_html_serialise_escape(struct spt_buf *out, const char *text, size_t len)
{
    return escape(out, text, len, true, true);
}

static void put_escaped(struct writer *w, struct spt_html_text text, bool quotes)
{
    if (w->status == SPT_HTML_OK &&
        escape(w->out, text.bytes, text.len, quotes, false) != SEPTET_OK)
        w->status = SPT_HTML_NO_MEMORY;
}

/* Writes a text. What lies in a script or the like is not escaped. */
static void put_text(struct writer *w, uint32_t i)
{
    static const char *const raw[] = {"style",   "script",   "xmp",       "iframe",
                                      "noembed", "noframes", "plaintext", NULL};
    const struct spt_html_node *node = &w->doc->nodes[i];
    const struct spt_html_text text = spt_html_document_text(w->doc, node);
    if (node->parent != SPT_HTML_NONE && is_any(w->doc, node->parent, raw))
        put(w, text.bytes, text.len);
    else
        put_escaped(w, text, false);
}

/* --- elements --- */

static bool is_void(const struct spt_html_document *doc, uint32_t i)
{
    static const char *const names[] = {
        "area",  "base",   "basefont", "bgsound", "br",    "col",    "embed", "frame", "hr", "img",
        "input", "keygen", "link",     "meta",    "param", "source", "track", "wbr",   NULL};
    return is_any(doc, i, names);
}

/* A parser drops a line end right behind these tags, so one that counts is written twice. */
static bool loses_line_end(const struct spt_html_document *doc, uint32_t i)
{
    static const char *const names[] = {"pre", "textarea", "listing", NULL};
    const uint32_t first = spt_html_document_first(doc, i);
    return first != SPT_HTML_NONE && doc->nodes[first].kind == SPT_HTML_TEXT &&
           doc->nodes[first].count > 0 && doc->text[doc->nodes[first].first] == '\n' &&
           is_any(doc, i, names);
}

static void put_start(struct writer *w, uint32_t i)
{
    const struct spt_html_node *node = &w->doc->nodes[i];
    struct spt_html_text name = spt_html_document_name_text(w->doc, node->name);
    put(w, "<", 1);
    put(w, name.bytes, name.len);
    for (uint32_t n = 0; n < node->count; n++) {
        const struct spt_html_attribute *a = &w->doc->attributes[node->first + n];
        name = spt_html_document_name_text(w->doc, a->name);
        put(w, " ", 1);
        put(w, name.bytes, name.len);
        put(w, "=\"", 2);
        put_escaped(w, spt_html_document_value(w->doc, a), true);
        put(w, "\"", 1);
    }
    put(w, ">", 1);
    if (loses_line_end(w->doc, i))
        put(w, "\n", 1);
}

static void put_end(struct writer *w, uint32_t i)
{
    const struct spt_html_node *node = &w->doc->nodes[i];
    if (node->kind != SPT_HTML_ELEMENT || is_void(w->doc, i))
        return;
    struct spt_html_text name = spt_html_document_name_text(w->doc, node->name);
    put(w, "</", 2);
    put(w, name.bytes, name.len);
    put(w, ">", 1);
}

static void put_begin(struct writer *w, uint32_t i)
{
    const struct spt_html_node *node = &w->doc->nodes[i];
    const struct spt_html_text text = spt_html_document_text(w->doc, node);
    switch ((enum spt_html_kind)node->kind) {
    case SPT_HTML_ELEMENT:
        put_start(w, i);
        break;
    case SPT_HTML_TEXT:
        put_text(w, i);
        break;
    case SPT_HTML_COMMENT:
        put_word(w, "<!--");
        put(w, text.bytes, text.len);
        put_word(w, "-->");
        break;
    case SPT_HTML_DOCTYPE:
        put_word(w, "<!DOCTYPE ");
        put(w, text.bytes, text.len);
        put_word(w, ">");
        break;
    case SPT_HTML_DOCUMENT:
        break;
    }
}

/* Returns the steps that a node costs, which are as many for each byte of a value. */
static unsigned cost_of(const struct spt_html_document *doc, const struct spt_html_node *node)
{
    unsigned cost = 16;
    if (node->kind != SPT_HTML_ELEMENT)
        return cost + node->count / 4;
    for (uint32_t i = 0; i < node->count; i++)
        cost += 16 + doc->attributes[node->first + i].len / 4;
    return cost;
}

enum spt_html_status spt_html_serialise(struct spt_buf *out, const struct spt_html_document *doc,
                                        uint32_t top, bool inner, struct spt_html_budget *budget)
{
    struct writer w = {.out = out, .doc = doc};
    const struct spt_html_node *nodes = doc->nodes;
    uint32_t open = top; /* the innermost open node */
    if (!inner && !spt_html_budget_spend(budget, cost_of(doc, &nodes[top])))
        return budget->exceeded;
    if (!inner)
        put_begin(&w, top);
    for (uint32_t i = top + 1; i < nodes[top].end && w.status == SPT_HTML_OK; i++) {
        for (; nodes[i].parent != open; open = nodes[open].parent)
            put_end(&w, open);
        if (!spt_html_budget_spend(budget, cost_of(doc, &nodes[i])))
            return budget->exceeded;
        put_begin(&w, i);
        if (nodes[i].end > i + 1)
            open = i;
        else
            put_end(&w, i);
    }
    for (; open != top; open = nodes[open].parent)
        put_end(&w, open);
    if (!inner)
        put_end(&w, top);
    return w.status;
}
