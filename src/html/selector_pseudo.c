/* SPDX-License-Identifier: MIT */
/* Reads pseudo-classes. One that is not known is an error, as a selector that matches nothing would
 * hide it. */
#include <string.h>
#include <strings.h>

#include "html/selector_parts.h"

enum argument { NO_ARGUMENT, A_LIST, A_RELATIVE_LIST, AN_NTH, A_STRING };

struct pseudo {
    const char *name;
    enum spt_html_test test;
    enum argument argument;
    bool from_end, of_type;
};

static const struct pseudo pseudos[] = {
    {"first-child", SPT_HTML_TEST_NTH, NO_ARGUMENT, false, false},
    {"last-child", SPT_HTML_TEST_NTH, NO_ARGUMENT, true, false},
    {"first-of-type", SPT_HTML_TEST_NTH, NO_ARGUMENT, false, true},
    {"last-of-type", SPT_HTML_TEST_NTH, NO_ARGUMENT, true, true},
    {"nth-child", SPT_HTML_TEST_NTH, AN_NTH, false, false},
    {"nth-last-child", SPT_HTML_TEST_NTH, AN_NTH, true, false},
    {"nth-of-type", SPT_HTML_TEST_NTH, AN_NTH, false, true},
    {"nth-last-of-type", SPT_HTML_TEST_NTH, AN_NTH, true, true},
    {"not", SPT_HTML_TEST_NOT, A_LIST, false, false},
    {"is", SPT_HTML_TEST_IS, A_LIST, false, false},
    {"where", SPT_HTML_TEST_IS, A_LIST, false, false},
    {"has", SPT_HTML_TEST_HAS, A_RELATIVE_LIST, false, false},
    {"contains", SPT_HTML_TEST_CONTAINS, A_STRING, false, false},
    {"empty", SPT_HTML_TEST_EMPTY, NO_ARGUMENT, false, false},
    {"root", SPT_HTML_TEST_ROOT, NO_ARGUMENT, false, false},
    {"scope", SPT_HTML_TEST_SCOPE, NO_ARGUMENT, false, false},
    {"any-link", SPT_HTML_TEST_LINK, NO_ARGUMENT, false, false},
    {"link", SPT_HTML_TEST_LINK, NO_ARGUMENT, false, false},
    {"checked", SPT_HTML_TEST_CHECKED, NO_ARGUMENT, false, false},
    {"disabled", SPT_HTML_TEST_DISABLED, NO_ARGUMENT, false, false},
    {"enabled", SPT_HTML_TEST_ENABLED, NO_ARGUMENT, false, false},
};

static bool is_word(struct spt_html_string word, const char *name)
{
    return word.len == strlen(name) && strncasecmp(word.bytes, name, word.len) == 0;
}

static const struct pseudo *find(struct spt_html_string word)
{
    for (size_t i = 0; i < sizeof pseudos / sizeof *pseudos; i++)
        if (is_word(word, pseudos[i].name))
            return &pseudos[i];
    return NULL;
}

static bool read_of(struct spt_html_reader *r, struct spt_html_simple *simple,
                    bool (*list)(struct spt_html_reader *, const struct spt_html_list **, bool))
{
    struct spt_html_string of;
    spt_html_selector_skip(r);
    if (!spt_html_selector_at_word(r))
        return true;
    const size_t at = r->at;
    if (!spt_html_selector_word(r, &of, false))
        return false;
    if (!is_word(of, "of") || simple->of_type)
        return SPT_HTML_SELECTOR_FAIL(r, at, "')' expected, got '%.*s'", (int)of.len, of.bytes);
    return list(r, &simple->list, false);
}

static bool read_string(struct spt_html_reader *r, struct spt_html_string *text)
{
    const char c = spt_html_selector_peek(r);
    if (c == '"' || c == '\'')
        return spt_html_selector_string(r, text);
    return spt_html_selector_word(r, text, false);
}

/* Finds, for each beginning of the text, the longest proper one that also ends it (Knuth, Morris
 * and Pratt). */
static bool find_borders(struct spt_html_reader *r, struct spt_html_simple *simple)
{
    const struct spt_html_string text = simple->text;
    uint32_t *borders = spt_html_selector_take(r, (text.len + 1) * sizeof *borders);
    if (!borders)
        return false;
    for (size_t i = 1, k = 0; i < text.len; i++) {
        while (k > 0 && text.bytes[i] != text.bytes[k])
            k = borders[k];
        k += text.bytes[i] == text.bytes[k];
        borders[i + 1] = (uint32_t)k;
    }
    simple->borders = borders;
    return true;
}

static bool read_argument(struct spt_html_reader *r, struct spt_html_simple *simple,
                          enum argument argument,
                          bool (*list)(struct spt_html_reader *, const struct spt_html_list **,
                                       bool))
{
    spt_html_selector_skip(r);
    bool good = false;
    if (argument == AN_NTH)
        good = spt_html_selector_nth(r, &simple->a, &simple->b) && read_of(r, simple, list);
    else if (argument == A_STRING)
        good = read_string(r, &simple->text) && find_borders(r, simple);
    else
        good = list(r, &simple->list, argument == A_RELATIVE_LIST);
    if (!good)
        return false;
    spt_html_selector_skip(r);
    return spt_html_selector_accept(r, ')') || spt_html_selector_expected(r, "')'");
}

/* Adds what ":only-child" tests beside ":first-child". */
static bool read_only(struct spt_html_reader *r, struct spt_html_simple *simple, bool of_type)
{
    struct spt_html_simple *other = spt_html_selector_take(r, sizeof *other);
    if (!other)
        return false;
    *simple = (struct spt_html_simple){.test = SPT_HTML_TEST_NTH, .b = 1, .of_type = of_type};
    *other = *simple;
    simple->slot = r->selector->caches++;
    other->slot = r->selector->caches++;
    other->from_end = true;
    simple->next = other;
    return true;
}

bool spt_html_selector_pseudo(struct spt_html_reader *r, struct spt_html_simple *simple,
                              bool (*list)(struct spt_html_reader *, const struct spt_html_list **,
                                           bool))
{
    struct spt_html_string word;
    const size_t at = r->at - 1;
    if (spt_html_selector_peek(r) == ':')
        return SPT_HTML_SELECTOR_FAIL(r, at, "pseudo-elements are not in the page");
    if (!spt_html_selector_word(r, &word, false))
        return false;
    const bool open = spt_html_selector_accept(r, '(');
    const bool only = is_word(word, "only-child"), of_type = is_word(word, "only-of-type");
    const struct pseudo *pseudo = find(word);
    if (!pseudo && !only && !of_type)
        return SPT_HTML_SELECTOR_FAIL(r, at, "unknown pseudo-class ':%.*s'", (int)word.len,
                                      word.bytes);
    if (open != (pseudo && pseudo->argument != NO_ARGUMENT))
        return SPT_HTML_SELECTOR_FAIL(r, at, "':%.*s' takes %s", (int)word.len, word.bytes,
                                      open ? "no argument" : "an argument");
    if (!pseudo)
        return read_only(r, simple, of_type);
    *simple = (struct spt_html_simple){.test = pseudo->test, .b = 1};
    simple->from_end = pseudo->from_end;
    simple->of_type = pseudo->of_type;
    if (simple->test == SPT_HTML_TEST_NTH)
        simple->slot = r->selector->caches++;
    return !open || read_argument(r, simple, pseudo->argument, list);
}
