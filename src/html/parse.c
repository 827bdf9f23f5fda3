/* SPDX-License-Identifier: MIT */
/* Runs gumbo in an arena. gumbo's own function to free a tree recurses as deep as the page nests,
 * and is not used. */
#include "html/parse.h"

#include <gumbo.h>
#include <string.h>

#include "html/arena.h"
#include "html/tree.h"

enum {
    HEX_DIGITS = 7, /* of numbers that fit in 31 bits */
    DECIMAL_DIGITS = 9,
    DIGITS = 5, /* of U+FFFD, in either way */
};

/* Returns the number of digits at `text`. */
static size_t count_digits(const char *text, size_t len, bool hex)
{
    size_t n = 0;
    for (; n < len; n++) {
        char c = text[n];
        bool letter = (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        if (!(c >= '0' && c <= '9') && !(hex && letter))
            break;
    }
    return n;
}

/* Replaces references to characters beyond 31 bits, such as "&#99999999999;", by others of the same
 * length to U+FFFD, which is what they mean. gumbo before 0.12.2 computes with what overflows. */
static void replace_overflows(char *text, size_t len)
{
    char *end = text + len, *p = text;
    while (p < end && (p = memchr(p, '&', (size_t)(end - p)))) {
        p++;
        if (end - p < 2 || *p != '#')
            continue;
        p++;
        const bool hex = *p == 'x' || *p == 'X';
        p += hex;
        while (p < end && *p == '0')
            p++;
        const size_t n = count_digits(p, (size_t)(end - p), hex);
        if (n > (size_t)(hex ? HEX_DIGITS : DECIMAL_DIGITS)) {
            const char *by = hex ? "0FFFD" : "65533";
            memset(p, '0', n);
            for (size_t i = 0; by[i]; i++)
                p[n - DIGITS + i] = by[i];
        }
        p += n;
    }
}

struct parse {
    struct spt_html_arena arena;
    const GumboOutput *output; /* NULL if the arena has left gumbo */
};

static void run_gumbo(struct parse *parse, const char *text, size_t len)
{
    /* Without kGumboDefaultOptions, which is no function and could not be loaded later. */
    const GumboOptions options = {
        .allocator = spt_html_arena_take,
        .deallocator = spt_html_arena_give,
        .userdata = &parse->arena,
        .tab_stop = 8,
        .max_errors = 0,
        .fragment_context = GUMBO_TAG_LAST,
        .fragment_namespace = GUMBO_NAMESPACE_HTML,
    };
    parse->output = NULL;
    if (setjmp(parse->arena.out) == 0)
        parse->output = gumbo_parse_with_options(&options, text, len);
}

enum spt_html_status spt_html_parse(struct spt_html_document **doc, char *text, size_t len,
                                    const struct spt_html_parse_limits *limits,
                                    struct spt_html_budget *budget)
{
    struct parse parse;
    struct spt_html_tree_limits tree = {budget, limits->memory, limits->depth, limits->attributes};
    replace_overflows(text, len);
    spt_html_arena_init(&parse.arena, budget, limits->memory, limits->depth, limits->attributes);
    run_gumbo(&parse, text, len);
    enum spt_html_status status = parse.arena.status;
    if (parse.output)
        status = spt_html_tree_copy(doc, parse.output, &tree);
    spt_html_arena_release(&parse.arena);
    return status;
}
