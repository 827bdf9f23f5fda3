/* SPDX-License-Identifier: MIT */
/* What a compiled selector is made of. It knows neither the text nor a document. */
#ifndef SPT_HTML_CSS_H
#define SPT_HTML_CSS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum spt_html_test {
    SPT_HTML_TEST_ANY,   /* "*" */
    SPT_HTML_TEST_TYPE,  /* of the name `text`; `name` is that in lower case */
    SPT_HTML_TEST_ID,    /* `text` */
    SPT_HTML_TEST_CLASS, /* `text` */
    SPT_HTML_TEST_ATTRIBUTE,
    SPT_HTML_TEST_NTH,      /* a, b, `list` or NULL, from_end, of_type */
    SPT_HTML_TEST_EMPTY,    /* neither elements nor text */
    SPT_HTML_TEST_ROOT,     /* the element at the top of the page */
    SPT_HTML_TEST_SCOPE,    /* what is searched in */
    SPT_HTML_TEST_ANCHOR,   /* what :has() is asked of; begins its selectors */
    SPT_HTML_TEST_IS,       /* any of `list` */
    SPT_HTML_TEST_NOT,      /* none of `list` */
    SPT_HTML_TEST_HAS,      /* `list`, of selectors that begin with an anchor */
    SPT_HTML_TEST_CONTAINS, /* its text contains `text` */
    SPT_HTML_TEST_LINK,     /* a link with an address */
    SPT_HTML_TEST_CHECKED,  /* of a form, as the page says */
    SPT_HTML_TEST_DISABLED, /* of a form */
    SPT_HTML_TEST_ENABLED,  /* of a form */
};

enum spt_html_operator {
    SPT_HTML_OPERATOR_EXISTS,
    SPT_HTML_OPERATOR_EQUALS,   /* = */
    SPT_HTML_OPERATOR_WORD,     /* ~= */
    SPT_HTML_OPERATOR_LANGUAGE, /* |= */
    SPT_HTML_OPERATOR_BEGINS,   /* ^= */
    SPT_HTML_OPERATOR_ENDS,     /* $= */
    SPT_HTML_OPERATOR_PART,     /* *= */
};

struct spt_html_string {
    const char *bytes; /* of the selector's memory */
    size_t len;
};

struct spt_html_simple {
    struct spt_html_simple *next; /* of the same compound */
    enum spt_html_test test;
    struct spt_html_string text;  /* a name as written, or a value */
    struct spt_html_string name;  /* of a type or an attribute, in lower case */
    struct spt_html_string exact; /* of an attribute, as written */
    uint32_t slot;                /* where a search keeps the numbers of its names, or its cache */
    int32_t a, b;                 /* every a-th from the b-th on */
    bool from_end, of_type;
    uint8_t operator;        /* spt_html_operator */
    bool folds;              /* the value matches in any case */
    const uint32_t *borders; /* of CONTAINS: by length, the longest border of that beginning */
    const struct spt_html_list *list;
};

enum spt_html_combinator {
    SPT_HTML_COMBINATOR_NONE,
    SPT_HTML_COMBINATOR_DESCENDANT, /* a blank */
    SPT_HTML_COMBINATOR_CHILD,      /* > */
    SPT_HTML_COMBINATOR_NEXT,       /* + */
    SPT_HTML_COMBINATOR_LATER,      /* ~ */
};

/* What one element must be. */
struct spt_html_compound {
    struct spt_html_simple *first;
    struct spt_html_compound *left; /* what must stand before it; NULL: anything */
    uint8_t combinator;             /* to `left` */
};

/* One of the selectors between commas. */
struct spt_html_complex {
    struct spt_html_complex *next;
    struct spt_html_compound *last;
    uint8_t lead; /* in :has(): the combinator it begins with */
};

struct spt_html_list {
    struct spt_html_complex *first;
};

struct spt_html_selector {
    const struct spt_html_list *list;
    uint32_t names;  /* number of slots of names, two for each type or attribute */
    uint32_t caches; /* number of slots of caches */
    unsigned refs;   /* of the owner's thread alone */
    void *blocks;    /* private; its memory */
    char *room, *room_end;
};

struct spt_html_selector_error {
    size_t position; /* in bytes, from 0 */
    char what[96];   /* as in "an unknown pseudo-class ':foo'" */
};

#endif
