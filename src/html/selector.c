/* SPDX-License-Identifier: MIT */
/* Reads selectors by recursive descent, as deep as pseudo-classes may nest. All parts lie in blocks
 * of the selector. */
#include "html/selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "html/selector_parts.h"

enum { LENGTH_MAX = 64 * 1024, PARTS_MAX = 64 };

/* Attributes with values that match in any case, as HTML's standard has them. */
static const char folding[] =
    " accept accept-charset align alink axis bgcolor charset checked clear codetype color compact "
    "declare defer dir direction disabled enctype face frame hreflang http-equiv lang language "
    "link "
    "media method multiple nohref noresize noshade nowrap readonly rel rev rules scope scrolling "
    "selected shape target text type valign valuetype vlink ";

/* --- simple selectors --- */

static bool read_type(struct spt_html_reader *r, struct spt_html_simple *simple)
{
    if (spt_html_selector_accept(r, '*')) {
        simple->test = SPT_HTML_TEST_ANY;
    } else {
        simple->test = SPT_HTML_TEST_TYPE;
        if (!spt_html_selector_word(r, &simple->text, false) ||
            !spt_html_selector_lower(r, simple->text, &simple->name))
            return false;
        simple->slot = r->selector->names;
        r->selector->names += 2;
    }
    if (spt_html_selector_peek(r) == '|')
        return SPT_HTML_SELECTOR_FAIL(r, r->at, "namespaces are not known");
    return true;
}

static bool read_operator(struct spt_html_reader *r, struct spt_html_simple *simple)
{
    static const char signs[] = "=~|^$*";
    const char *sign = strchr(signs, spt_html_selector_peek(r));
    if (r->at >= r->len || !sign)
        return spt_html_selector_expected(r, "']' or an operator such as '='");
    r->at++;
    if (sign > signs && !spt_html_selector_accept(r, '='))
        return spt_html_selector_expected(r, "'='");
    simple->operator=(uint8_t)(SPT_HTML_OPERATOR_EQUALS + (sign - signs));
    return true;
}

/* Reads the flag behind a value: "i" for any case, "s" for the very same. */
static bool read_flag(struct spt_html_reader *r, struct spt_html_simple *simple)
{
    struct spt_html_string flag;
    if (!spt_html_selector_at_word(r))
        return true;
    const size_t at = r->at;
    if (!spt_html_selector_word(r, &flag, false))
        return false;
    const char c = flag.len == 1 ? (char)(flag.bytes[0] | 0x20) : '\0';
    if (c != 'i' && c != 's')
        return SPT_HTML_SELECTOR_FAIL(r, at, "']' or the flag 'i' or 's' expected");
    simple->folds = c == 'i';
    spt_html_selector_skip(r);
    return true;
}

static bool folds_by_name(struct spt_html_string name)
{
    char word[24];
    if (name.len + 3 > sizeof word || memchr(name.bytes, ' ', name.len))
        return false;
    int n = snprintf(word, sizeof word, " %.*s ", (int)name.len, name.bytes);
    return n > 2 && strstr(folding, word);
}

static bool read_value(struct spt_html_reader *r, struct spt_html_simple *simple)
{
    const char c = spt_html_selector_peek(r);
    const bool quoted = c == '"' || c == '\'';
    simple->folds = folds_by_name(simple->name);
    if (quoted ? !spt_html_selector_string(r, &simple->text)
               : !spt_html_selector_word(r, &simple->text, false))
        return false;
    spt_html_selector_skip(r);
    return read_flag(r, simple);
}

static bool read_attribute(struct spt_html_reader *r, struct spt_html_simple *simple)
{
    simple->test = SPT_HTML_TEST_ATTRIBUTE;
    spt_html_selector_skip(r);
    if (!spt_html_selector_word(r, &simple->exact, false) ||
        !spt_html_selector_lower(r, simple->exact, &simple->name))
        return false;
    simple->slot = r->selector->names;
    r->selector->names += 2;
    spt_html_selector_skip(r);
    if (spt_html_selector_accept(r, ']'))
        return true;
    if (!read_operator(r, simple))
        return false;
    spt_html_selector_skip(r);
    if (!read_value(r, simple))
        return false;
    return spt_html_selector_accept(r, ']') || spt_html_selector_expected(r, "']'");
}

static bool read_list(struct spt_html_reader *r, const struct spt_html_list **list, bool relative);

/* Reads a simple selector. Sets `*any` to false, and reads nothing, if there is none. */
static bool read_simple(struct spt_html_reader *r, struct spt_html_simple *simple, bool is_first,
                        bool *any)
{
    *any = true;
    if (spt_html_selector_accept(r, '#')) {
        simple->test = SPT_HTML_TEST_ID;
        return spt_html_selector_word(r, &simple->text, true);
    }
    if (spt_html_selector_accept(r, '.')) {
        simple->test = SPT_HTML_TEST_CLASS;
        return spt_html_selector_word(r, &simple->text, false);
    }
    if (spt_html_selector_accept(r, '['))
        return read_attribute(r, simple);
    if (spt_html_selector_accept(r, ':'))
        return spt_html_selector_pseudo(r, simple, read_list);
    if (is_first && (spt_html_selector_peek(r) == '*' || spt_html_selector_at_word(r)))
        return read_type(r, simple);
    *any = false;
    return true;
}

/* --- compounds and lists --- */

static bool read_compound(struct spt_html_reader *r, struct spt_html_compound *compound)
{
    struct spt_html_simple **end = &compound->first;
    for (bool any = true;;) {
        spt_html_selector_skip_comments(r);
        struct spt_html_simple *simple = spt_html_selector_take(r, sizeof *simple);
        if (!simple || !read_simple(r, simple, !compound->first, &any))
            return false;
        if (!any)
            return compound->first || spt_html_selector_expected(r, "a selector");
        *end = simple;
        while (*end) /* one text may be two tests */
            end = &(*end)->next;
    }
}

/* Reads a combinator, or a blank that is one. Returns NONE behind the last compound. */
static enum spt_html_combinator read_combinator(struct spt_html_reader *r)
{
    const bool blank = spt_html_selector_skip(r);
    enum spt_html_combinator found = SPT_HTML_COMBINATOR_NONE;
    if (spt_html_selector_accept(r, '>'))
        found = SPT_HTML_COMBINATOR_CHILD;
    else if (spt_html_selector_accept(r, '+'))
        found = SPT_HTML_COMBINATOR_NEXT;
    else if (spt_html_selector_accept(r, '~'))
        found = SPT_HTML_COMBINATOR_LATER;
    else if (blank && r->at < r->len && !strchr(",)", r->text[r->at]))
        return SPT_HTML_COMBINATOR_DESCENDANT;
    spt_html_selector_skip(r);
    return found;
}

static struct spt_html_compound *new_compound(struct spt_html_reader *r,
                                              struct spt_html_compound *left, uint8_t combinator)
{
    struct spt_html_compound *compound = spt_html_selector_take(r, sizeof *compound);
    if (!compound)
        return NULL;
    compound->left = left;
    compound->combinator = combinator;
    return compound;
}

/* Makes the compound that a selector of :has() begins with. */
static bool read_anchor(struct spt_html_reader *r, struct spt_html_complex *complex)
{
    struct spt_html_simple *anchor = spt_html_selector_take(r, sizeof *anchor);
    complex->last = new_compound(r, NULL, SPT_HTML_COMBINATOR_NONE);
    if (!anchor || !complex->last)
        return false;
    anchor->test = SPT_HTML_TEST_ANCHOR;
    complex->last->first = anchor;
    complex->lead = (uint8_t)read_combinator(r);
    if (complex->lead == SPT_HTML_COMBINATOR_NONE)
        complex->lead = SPT_HTML_COMBINATOR_DESCENDANT;
    return true;
}

static bool read_complex(struct spt_html_reader *r, struct spt_html_complex *complex, bool relative)
{
    enum spt_html_combinator combinator = SPT_HTML_COMBINATOR_NONE;
    unsigned parts = 0;
    spt_html_selector_skip(r);
    if (relative) {
        if (!read_anchor(r, complex))
            return false;
        combinator = complex->lead;
    }
    do {
        if (++parts > PARTS_MAX) /* a match recurses over them */
            return SPT_HTML_SELECTOR_FAIL(r, r->at, "more than %d parts", PARTS_MAX);
        complex->last = new_compound(r, complex->last, (uint8_t)combinator);
        if (!complex->last || !read_compound(r, complex->last))
            return false;
        combinator = read_combinator(r);
    } while (combinator != SPT_HTML_COMBINATOR_NONE);
    return true;
}

static bool read_list(struct spt_html_reader *r, const struct spt_html_list **out, bool relative)
{
    struct spt_html_list *list = spt_html_selector_take(r, sizeof *list);
    struct spt_html_complex **end = list ? &list->first : NULL;
    if (!list)
        return false;
    if (r->depth == SPT_HTML_SELECTOR_DEPTH)
        return SPT_HTML_SELECTOR_FAIL(r, r->at, "nested too deeply");
    r->depth++;
    do {
        struct spt_html_complex *complex = spt_html_selector_take(r, sizeof *complex);
        if (!complex || !read_complex(r, complex, relative))
            return false;
        *end = complex;
        end = &complex->next;
    } while (spt_html_selector_accept(r, ','));
    r->depth--;
    *out = list;
    return true;
}

/* --- the whole --- */

struct spt_html_selector *spt_html_selector_new(const char *text, size_t len,
                                                struct spt_html_selector_error *error)
{
    struct spt_html_selector *selector = calloc(1, sizeof *selector);
    struct spt_html_reader r = {.selector = selector, .error = error, .text = text, .len = len};
    *error = (struct spt_html_selector_error){0};
    if (!selector)
        return NULL;
    selector->refs = 1;
    if (len > LENGTH_MAX)
        (void)SPT_HTML_SELECTOR_FAIL(&r, LENGTH_MAX, "longer than %d bytes", LENGTH_MAX);
    else if (read_list(&r, &selector->list, false) && r.at < len)
        spt_html_selector_expected(&r, "a selector");
    if (!r.failed)
        return selector;
    spt_html_selector_unref(selector);
    return NULL;
}

void spt_html_selector_unref(struct spt_html_selector *selector)
{
    if (--selector->refs > 0)
        return;
    while (selector->blocks) {
        void *next = *(void **)selector->blocks;
        free(selector->blocks);
        selector->blocks = next;
    }
    free(selector);
}
