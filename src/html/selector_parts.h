/* SPDX-License-Identifier: MIT */
/* The reader of a selector's text. Private to selector.c and selector_*.c. */
#ifndef SPT_HTML_SELECTOR_PARTS_H
#define SPT_HTML_SELECTOR_PARTS_H

#include <stdio.h>

#include "html/css.h"

enum { SPT_HTML_SELECTOR_DEPTH = 16 }; /* nesting of pseudo-classes with selectors in them */

struct spt_html_reader {
    struct spt_html_selector *selector;
    struct spt_html_selector_error *error;
    const char *text;
    size_t len, at;
    unsigned depth;
    bool failed;
};

/* Returns zeroed memory of the selector. Returns NULL, and fails, if there is none. */
void *spt_html_selector_take(struct spt_html_reader *r, size_t size);

/* Begins an error at a position. Returns false if there is one already, which is kept. */
bool spt_html_selector_begin_error(struct spt_html_reader *r, size_t position);

/* Records the first error, with a format and its arguments. Is false. */
#define SPT_HTML_SELECTOR_FAIL(r, position, ...)                                                   \
    ((void)(spt_html_selector_begin_error((r), (position)) &&                                      \
            snprintf((r)->error->what, sizeof(r)->error->what, __VA_ARGS__)),                      \
     false)

/* Fails with what was expected at the present position. Returns false. */
bool spt_html_selector_expected(struct spt_html_reader *r, const char *what);

/* --- characters and words (selector_words.c) --- */

/* Returns the next character, or 0 at the end. */
static inline char spt_html_selector_peek(const struct spt_html_reader *r)
{
    return r->at < r->len ? r->text[r->at] : '\0';
}

/* Skips comments, which may stand anywhere but in a word. */
void spt_html_selector_skip_comments(struct spt_html_reader *r);

/* Skips blanks and comments. Returns true if there were blanks. */
bool spt_html_selector_skip(struct spt_html_reader *r);

/* Skips a character if it is the next one. */
bool spt_html_selector_accept(struct spt_html_reader *r, char c);

/* Returns true if an identifier begins here. */
bool spt_html_selector_at_word(const struct spt_html_reader *r);

/* Reads an identifier, or what may follow a '#' if `is_hash`. */
bool spt_html_selector_word(struct spt_html_reader *r, struct spt_html_string *word, bool is_hash);

/* Reads a string in quotes. */
bool spt_html_selector_string(struct spt_html_reader *r, struct spt_html_string *string);

/* Makes a copy in ASCII lower case. */
bool spt_html_selector_lower(struct spt_html_reader *r, struct spt_html_string from,
                             struct spt_html_string *to);

/* Reads "odd", "even" or "an+b". */
bool spt_html_selector_nth(struct spt_html_reader *r, int32_t *a, int32_t *b);

/* --- pseudo-classes (selector_pseudo.c) --- */

/* Reads what follows the colon into a simple selector. `list` reads a list of selectors up to the
 * ')' behind it; they begin with a combinator if `relative`. */
bool spt_html_selector_pseudo(struct spt_html_reader *r, struct spt_html_simple *simple,
                              bool (*list)(struct spt_html_reader *r,
                                           const struct spt_html_list **out, bool relative));

#endif
