/* SPDX-License-Identifier: MIT */
/* Reads the tokens of CSS Syntax that selectors need, with their escapes. */
#include <string.h>
#include <strings.h>

#include "html/selector_parts.h"

enum { HEX_MAX = 6, NTH_MAX = 100000000 };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_name(char c, bool first)
{
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
    return letter || (!first && ((c >= '0' && c <= '9') || c == '-'));
}

static char peek_at(const struct spt_html_reader *r, size_t more)
{
    return r->at + more < r->len ? r->text[r->at + more] : '\0';
}

void spt_html_selector_skip_comments(struct spt_html_reader *r)
{
    while (spt_html_selector_peek(r) == '/' && peek_at(r, 1) == '*') {
        const char *end = memmem(r->text + r->at + 2, r->len - r->at - 2, "*/", 2);
        r->at = end ? (size_t)(end - r->text) + 2 : r->len;
    }
}

bool spt_html_selector_skip(struct spt_html_reader *r)
{
    bool any = false;
    spt_html_selector_skip_comments(r);
    while (r->at < r->len && is_blank(r->text[r->at])) {
        any = true;
        r->at++;
        spt_html_selector_skip_comments(r);
    }
    return any;
}

bool spt_html_selector_accept(struct spt_html_reader *r, char c)
{
    if (r->at >= r->len || r->text[r->at] != c)
        return false;
    r->at++;
    return true;
}

static bool at_escape(const struct spt_html_reader *r, size_t more)
{
    return peek_at(r, more) == '\\' && r->at + more + 1 < r->len && peek_at(r, more + 1) != '\n';
}

bool spt_html_selector_at_word(const struct spt_html_reader *r)
{
    const size_t dash = spt_html_selector_peek(r) == '-';
    if (r->at + dash >= r->len)
        return false;
    return is_name(peek_at(r, dash), true) || at_escape(r, dash) ||
           (dash && peek_at(r, dash) == '-');
}

/* --- text that is copied --- */

static char *put_character(char *to, uint32_t c)
{
    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80) {
        *to++ = (char)c;
        return to;
    }
    const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    *to++ = (char)((0xf00 >> more) | (c >> (6 * more)));
    for (int i = more - 1; i >= 0; i--)
        *to++ = (char)(0x80 | ((c >> (6 * i)) & 0x3f));
    return to;
}

/* Copies the character at hand, which may be an escape, and steps over it. */
static char *copy_character(struct spt_html_reader *r, char *to)
{
    char c = r->text[r->at++];
    if (c == '\0')
        return put_character(to, 0);
    if (c != '\\') {
        *to++ = c;
        return to;
    }
    if (r->at >= r->len)
        return put_character(to, 0);
    if (r->text[r->at] == '\n') { /* goes on in the next line; only strings come here */
        r->at++;
        return to;
    }
    uint32_t value = 0;
    int digits = 0;
    for (; digits < HEX_MAX && r->at < r->len && hex_of(r->text[r->at]) >= 0; digits++)
        value = value << 4 | (uint32_t)hex_of(r->text[r->at++]);
    if (digits == 0)
        return r->text[r->at] ? (*to++ = r->text[r->at++], to) : (r->at++, put_character(to, 0));
    if (r->at + 1 < r->len && r->text[r->at] == '\r' && r->text[r->at + 1] == '\n')
        r->at++;
    if (r->at < r->len && is_blank(r->text[r->at]))
        r->at++;
    return put_character(to, value);
}

/* Copies characters while `goes_on`, from where the reader is. Reads them twice, to know their
 * length. */
static bool copy_while(struct spt_html_reader *r, struct spt_html_string *out, char end,
                       bool (*goes_on)(const struct spt_html_reader *, char))
{
    char scratch[8];
    const size_t begin = r->at;
    size_t len = 0;
    while (goes_on(r, end))
        len += (size_t)(copy_character(r, scratch) - scratch);
    char *copy = spt_html_selector_take(r, len + 1), *to = copy;
    if (!copy)
        return false;
    r->at = begin;
    while (goes_on(r, end))
        to = copy_character(r, to);
    *out = (struct spt_html_string){copy, len};
    return true;
}

static bool in_word(const struct spt_html_reader *r, char end)
{
    (void)end;
    return r->at < r->len && (is_name(r->text[r->at], false) || at_escape(r, 0));
}

static bool in_string(const struct spt_html_reader *r, char end)
{
    return r->at < r->len && r->text[r->at] != end && r->text[r->at] != '\n';
}

bool spt_html_selector_word(struct spt_html_reader *r, struct spt_html_string *word, bool is_hash)
{
    if (!is_hash && !spt_html_selector_at_word(r))
        return spt_html_selector_expected(r, "a name");
    if (!copy_while(r, word, '\0', in_word))
        return false;
    return word->len > 0 || spt_html_selector_expected(r, "a name");
}

bool spt_html_selector_string(struct spt_html_reader *r, struct spt_html_string *string)
{
    const size_t begin = r->at;
    const char quote = r->text[r->at++];
    if (!copy_while(r, string, quote, in_string))
        return false;
    return spt_html_selector_accept(r, quote) ||
           SPT_HTML_SELECTOR_FAIL(r, begin, "a string without an end");
}

bool spt_html_selector_lower(struct spt_html_reader *r, struct spt_html_string from,
                             struct spt_html_string *to)
{
    char *copy = spt_html_selector_take(r, from.len + 1);
    if (!copy)
        return false;
    for (size_t i = 0; i < from.len; i++) {
        char c = from.bytes[i];
        copy[i] = (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
    *to = (struct spt_html_string){copy, from.len};
    return true;
}

/* --- an+b --- */

/* Reads digits. Returns false if there are none. */
static bool read_digits(struct spt_html_reader *r, int32_t *value)
{
    const size_t from = r->at;
    int64_t n = 0;
    while (r->at < r->len && r->text[r->at] >= '0' && r->text[r->at] <= '9') {
        n = n * 10 + (r->text[r->at++] - '0');
        if (n > NTH_MAX)
            n = NTH_MAX;
    }
    *value = (int32_t)n;
    return r->at > from;
}

static bool accept_word(struct spt_html_reader *r, const char *word)
{
    const size_t n = strlen(word);
    if (r->len - r->at < n || strncasecmp(r->text + r->at, word, n) != 0 ||
        (r->at + n < r->len && is_name(r->text[r->at + n], false)))
        return false;
    r->at += n;
    return true;
}

static bool expected_nth(struct spt_html_reader *r)
{
    return spt_html_selector_expected(r, "a number, 'odd', 'even' or 'an+b'");
}

/* Reads what follows the 'n'. */
static bool read_offset(struct spt_html_reader *r, int32_t *b)
{
    const size_t behind = r->at;
    *b = 0;
    spt_html_selector_skip(r);
    const char sign = spt_html_selector_peek(r);
    if (sign != '+' && sign != '-') {
        r->at = behind;
        return true;
    }
    r->at++;
    spt_html_selector_skip(r);
    if (!read_digits(r, b))
        return expected_nth(r);
    if (sign == '-')
        *b = -*b;
    return true;
}

bool spt_html_selector_nth(struct spt_html_reader *r, int32_t *a, int32_t *b)
{
    if (accept_word(r, "odd") || accept_word(r, "even")) {
        *a = 2;
        *b = (r->text[r->at - 1] | 0x20) == 'd';
        return true;
    }
    const int sign = spt_html_selector_accept(r, '-') ? -1 : 1;
    if (sign > 0)
        spt_html_selector_accept(r, '+');
    const bool digits = read_digits(r, b);
    if (!spt_html_selector_accept(r, 'n') && !spt_html_selector_accept(r, 'N')) {
        *a = 0;
        *b *= sign;
        return digits || expected_nth(r);
    }
    *a = sign * (digits ? *b : 1);
    return read_offset(r, b);
}
