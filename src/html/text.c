/* SPDX-License-Identifier: MIT */
/* Walks the nodes in their order. An element's end is met when the walk reaches the node behind it,
 * so the only stack is of the parents. */
#include "html/text.h"

#include <string.h>

#include "septet/septet.h"

enum role {
    INLINE,
    BLOCK,     /* on lines of its own */
    PARAGRAPH, /* between empty lines */
    CELL,      /* behind a tab, if it is not the first */
    HIDDEN,    /* not shown */
    BREAK,     /* ends a line */
    PRE,       /* a block in which blanks count */
    VERBATIM,  /* in a line, but its blanks count */
    TEMPLATE,
};

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"address", BLOCK},    {"article", BLOCK},     {"aside", BLOCK},       {"audio", HIDDEN},
    {"blockquote", BLOCK}, {"body", BLOCK},        {"br", BREAK},          {"caption", BLOCK},
    {"center", BLOCK},     {"datalist", HIDDEN},   {"dd", BLOCK},          {"details", BLOCK},
    {"dialog", BLOCK},     {"dir", BLOCK},         {"div", BLOCK},         {"dl", BLOCK},
    {"dt", BLOCK},         {"fieldset", BLOCK},    {"figcaption", BLOCK},  {"figure", BLOCK},
    {"footer", BLOCK},     {"form", BLOCK},        {"h1", BLOCK},          {"h2", BLOCK},
    {"h3", BLOCK},         {"h4", BLOCK},          {"h5", BLOCK},          {"h6", BLOCK},
    {"head", HIDDEN},      {"header", BLOCK},      {"hgroup", BLOCK},      {"hr", BLOCK},
    {"html", BLOCK},       {"iframe", HIDDEN},     {"legend", BLOCK},      {"li", BLOCK},
    {"listing", PRE},      {"main", BLOCK},        {"menu", BLOCK},        {"nav", BLOCK},
    {"noembed", HIDDEN},   {"noframes", HIDDEN},   {"ol", BLOCK},          {"optgroup", BLOCK},
    {"option", BLOCK},     {"p", PARAGRAPH},       {"plaintext", PRE},     {"pre", PRE},
    {"rp", HIDDEN},        {"script", HIDDEN},     {"search", BLOCK},      {"section", BLOCK},
    {"style", HIDDEN},     {"summary", BLOCK},     {"table", BLOCK},       {"tbody", BLOCK},
    {"td", CELL},          {"template", TEMPLATE}, {"textarea", VERBATIM}, {"tfoot", BLOCK},
    {"th", CELL},          {"thead", BLOCK},       {"title", HIDDEN},      {"tr", BLOCK},
    {"ul", BLOCK},         {"video", HIDDEN},      {"xmp", PRE},
};

/* What stands between what is written and what comes next. */
struct writer {
    struct spt_buf *out;
    const struct spt_html_document *doc;
    uint32_t hidden;   /* the name of the attribute */
    size_t begin;      /* length of `out` at first */
    unsigned lines;    /* line ends that are due, if anything follows */
    bool blank;        /* a blank is due, if anything follows in this line */
    unsigned verbatim; /* number of open elements in which blanks count */
    enum spt_html_status status;
};

static enum role role_of(const struct spt_html_document *doc, const struct spt_html_node *node)
{
    size_t from = 0, to = sizeof roles / sizeof *roles;
    if (node->kind != SPT_HTML_ELEMENT || node->space != SPT_HTML_SPACE_HTML)
        return INLINE;
    const struct spt_html_text name = spt_html_document_name_text(doc, node->name);
    while (from < to) {
        const size_t middle = (from + to) / 2;
        const size_t len = strlen(roles[middle].name);
        int order = memcmp(name.bytes, roles[middle].name, name.len < len ? name.len : len);
        if (order == 0 && name.len == len)
            return roles[middle].role;
        if (order < 0 || (order == 0 && name.len < len))
            to = middle;
        else
            from = middle + 1;
    }
    return INLINE;
}

static void put(struct writer *w, const char *bytes, size_t len)
{
    if (w->status == SPT_HTML_OK && spt_buf_append(w->out, bytes, len) != SEPTET_OK)
        w->status = SPT_HTML_NO_MEMORY;
}

/* Writes the blank or the line ends that are due. */
static void put_due(struct writer *w)
{
    const bool any = w->out->len > w->begin;
    for (; w->lines > 0; w->lines--) {
        if (any)
            put(w, "\n", 1);
        w->blank = false;
    }
    if (w->blank && any && !strchr("\n\t", w->out->data[w->out->len - 1]))
        put(w, " ", 1);
    w->blank = false;
}

static void need_lines(struct writer *w, unsigned lines)
{
    if (w->lines < lines)
        w->lines = lines;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static void put_words(struct writer *w, struct spt_html_text text)
{
    for (size_t i = 0; i < text.len;) {
        const size_t from = i;
        while (i < text.len && !is_blank(text.bytes[i]))
            i++;
        if (i > from) {
            put_due(w);
            put(w, text.bytes + from, i - from);
        }
        for (; i < text.len && is_blank(text.bytes[i]); i++)
            w->blank = true;
    }
}

static void put_text(struct writer *w, struct spt_html_text text)
{
    if (w->verbatim == 0) {
        put_words(w, text);
    } else if (text.len > 0) {
        put_due(w);
        put(w, text.bytes, text.len);
    }
}

/* Returns true if the cell has another before it in its row. */
static bool is_later_cell(const struct spt_html_document *doc, uint32_t i)
{
    return spt_html_document_element_before(doc, i) != SPT_HTML_NONE;
}

static void begin_element(struct writer *w, uint32_t i, enum role role)
{
    if (role == BREAK) {
        w->lines++;
    } else if (role == CELL && is_later_cell(w->doc, i)) {
        w->blank = false;
        w->lines = 0;
        put(w, "\t", 1);
    } else if (role == BLOCK || role == PRE) {
        need_lines(w, 1);
    } else if (role == PARAGRAPH) {
        need_lines(w, 2);
    }
    w->verbatim += role == PRE || role == VERBATIM;
}

static void end_element(struct writer *w, enum role role)
{
    w->verbatim -= role == PRE || role == VERBATIM;
    if (role == BLOCK || role == PRE)
        need_lines(w, 1);
    else if (role == PARAGRAPH)
        need_lines(w, 2);
}

static bool is_hidden(const struct writer *w, const struct spt_html_node *node, enum role role)
{
    return role == HIDDEN || role == TEMPLATE ||
           spt_html_document_attribute(w->doc, node, w->hidden) != NULL;
}

static void walk(struct writer *w, uint32_t top, struct spt_html_budget *budget)
{
    const struct spt_html_node *nodes = w->doc->nodes;
    uint32_t open = top; /* the innermost open node */
    for (uint32_t i = top + 1; i < nodes[top].end && w->status == SPT_HTML_OK;) {
        for (; nodes[i].parent != open; open = nodes[open].parent)
            end_element(w, role_of(w->doc, &nodes[open]));
        const struct spt_html_node *node = &nodes[i];
        const enum role role = role_of(w->doc, node);
        if (!spt_html_budget_spend(budget, 4 + node->count / 4))
            w->status = budget->exceeded;
        if (node->kind == SPT_HTML_TEXT)
            put_text(w, spt_html_document_text(w->doc, node));
        if (node->kind != SPT_HTML_ELEMENT) {
            i++;
        } else if (is_hidden(w, node, role)) {
            i = node->end;
        } else {
            begin_element(w, i, role);
            if (node->end > i + 1)
                open = i;
            else
                end_element(w, role);
            i++;
        }
    }
}

enum spt_html_status spt_html_text_shown(struct spt_buf *out, const struct spt_html_document *doc,
                                         uint32_t node, struct spt_html_budget *budget)
{
    struct writer w = {.out = out, .doc = doc, .begin = out->len};
    const enum role role = role_of(doc, &doc->nodes[node]);
    w.hidden = spt_html_document_name(doc, "hidden", strlen("hidden"));
    if (is_hidden(&w, &doc->nodes[node], role))
        return spt_html_text_raw(out, doc, node, budget);
    w.verbatim = role == PRE || role == VERBATIM;
    walk(&w, node, budget);
    return w.status;
}

enum spt_html_status spt_html_text_raw(struct spt_buf *out, const struct spt_html_document *doc,
                                       uint32_t top, struct spt_html_budget *budget)
{
    for (uint32_t i = top + 1; i < doc->nodes[top].end;) {
        const struct spt_html_node *node = &doc->nodes[i];
        if (!spt_html_budget_spend(budget, 2 + node->count / 16))
            return budget->exceeded;
        if (node->kind == SPT_HTML_TEXT &&
            spt_buf_append(out, doc->text + node->first, node->count) != SEPTET_OK)
            return SPT_HTML_NO_MEMORY;
        i = spt_html_document_is(doc, i, "template") ? node->end : i + 1;
    }
    return SPT_HTML_OK;
}
