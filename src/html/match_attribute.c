/* SPDX-License-Identifier: MIT */
/* Compares names by their numbers, and values by their bytes. */
#include <string.h>
#include <strings.h>

#include "html/match_parts.h"

static bool same(const char *a, const char *b, size_t n, bool folds)
{
    return folds ? strncasecmp(a, b, n) == 0 : memcmp(a, b, n) == 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/* Returns true if `word` is one of the words of `text`. */
static bool has_word(struct spt_html_text text, struct spt_html_string word, bool folds)
{
    if (word.len == 0)
        return false;
    for (size_t i = 0; i < text.len;) {
        while (i < text.len && is_blank(text.bytes[i]))
            i++;
        const size_t from = i;
        while (i < text.len && !is_blank(text.bytes[i]))
            i++;
        if (i - from == word.len && same(text.bytes + from, word.bytes, word.len, folds))
            return true;
    }
    return false;
}

static bool has_part(const struct spt_html_match *m, struct spt_html_text text,
                     struct spt_html_string part, bool folds)
{
    if (!folds)
        return memmem(text.bytes, text.len, part.bytes, part.len) != NULL;
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (!spt_html_budget_spend(m->budget, (unsigned)part.len / 64))
            return false;
        else if (strncasecmp(text.bytes + i, part.bytes, part.len) == 0)
            return true;
    return false;
}

static bool compare(const struct spt_html_match *m, const struct spt_html_simple *s,
                    struct spt_html_text value)
{
    const struct spt_html_string want = s->text;
    const bool fits = value.len >= want.len, folds = s->folds;
    switch ((enum spt_html_operator)s->operator) {
    case SPT_HTML_OPERATOR_EXISTS:
        return true;
    case SPT_HTML_OPERATOR_EQUALS:
        return value.len == want.len && same(value.bytes, want.bytes, want.len, folds);
    case SPT_HTML_OPERATOR_WORD:
        return has_word(value, want, folds);
    case SPT_HTML_OPERATOR_LANGUAGE:
        return fits && same(value.bytes, want.bytes, want.len, folds) &&
               (value.len == want.len || value.bytes[want.len] == '-');
    case SPT_HTML_OPERATOR_BEGINS:
        return want.len > 0 && fits && same(value.bytes, want.bytes, want.len, folds);
    case SPT_HTML_OPERATOR_ENDS:
        return want.len > 0 && fits &&
               same(value.bytes + value.len - want.len, want.bytes, want.len, folds);
    case SPT_HTML_OPERATOR_PART:
        return want.len > 0 && has_part(m, value, want, folds);
    }
    return false;
}

bool spt_html_match_attribute(const struct spt_html_match *m, const struct spt_html_simple *s,
                              const struct spt_html_node *node)
{
    const bool foreign = node->space != SPT_HTML_SPACE_HTML;
    const struct spt_html_attribute *a = spt_html_match_find(m, node, m->names[s->slot + foreign]);
    if (!a)
        return false;
    if (!spt_html_budget_spend(m->budget, a->len / 8))
        return false;
    return compare(m, s, spt_html_document_value(m->doc, a));
}

bool spt_html_match_id(const struct spt_html_match *m, const struct spt_html_simple *s,
                       const struct spt_html_node *node)
{
    const struct spt_html_attribute *a = spt_html_match_find(m, node, m->known.id);
    return a && a->len == s->text.len &&
           same(m->doc->text + a->value, s->text.bytes, a->len, m->doc->quirks);
}

bool spt_html_match_class(const struct spt_html_match *m, const struct spt_html_simple *s,
                          const struct spt_html_node *node)
{
    const struct spt_html_attribute *a = spt_html_match_find(m, node, m->known.class);
    if (!a || !spt_html_budget_spend(m->budget, a->len / 8))
        return false;
    return has_word(spt_html_document_value(m->doc, a), s->text, m->doc->quirks);
}
