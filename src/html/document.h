/* SPDX-License-Identifier: MIT */
/* A parsed page: one block of memory with arrays of nodes, attributes and names, and their strings.
 * Nodes are numbered in the order of the page, so that what lies in a node is the range behind it,
 * and no walk needs recursion. It does not change once it is made, and any thread may read it. */
#ifndef SPT_HTML_DOCUMENT_H
#define SPT_HTML_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPT_HTML_NONE UINT32_MAX /* no node, no name, no attribute */

enum spt_html_kind {
    SPT_HTML_DOCUMENT, /* the first node only */
    SPT_HTML_DOCTYPE,
    SPT_HTML_ELEMENT,
    SPT_HTML_TEXT,
    SPT_HTML_COMMENT,
};

enum spt_html_space { SPT_HTML_SPACE_HTML, SPT_HTML_SPACE_SVG, SPT_HTML_SPACE_MATHML };

struct spt_html_node {
    uint32_t parent;   /* SPT_HTML_NONE of the document */
    uint32_t previous; /* sibling, or SPT_HTML_NONE */
    uint32_t end;      /* the node behind all that lies in this one */
    uint32_t name;     /* of an element; else SPT_HTML_NONE */
    uint32_t first;    /* its first attribute; of others, the offset of its text */
    uint32_t count;    /* number of its attributes; of others, the length of its text in bytes */
    uint8_t kind;      /* spt_html_kind */
    uint8_t space;     /* spt_html_space */
};

struct spt_html_attribute {
    uint32_t name;
    uint32_t value, len; /* offset and length of its value */
};

struct spt_html_name {
    uint32_t text, len;
    uint32_t next; /* name in the same chain, or SPT_HTML_NONE */
};

/* A piece of text, which does not end with a NUL. */
struct spt_html_text {
    const char *bytes;
    size_t len;
};

/* The number of everything that a document holds. */
struct spt_html_counts {
    uint32_t nodes, attributes, names, chains; /* `chains` is a power of two */
    size_t bytes;                              /* of all texts */
};

struct spt_html_document {
    struct spt_html_counts counts;
    size_t size;   /* of the block, in bytes */
    unsigned refs; /* of the owner's thread alone */
    bool quirks;   /* classes and ids match in any case */
    struct spt_html_node *nodes;
    struct spt_html_attribute *attributes;
    struct spt_html_name *names;
    uint32_t *chains; /* the first name of each chain, by its hash */
    char *text;
};

/* Makes a document with room for all that is counted, and one reference. The caller fills it.
 * Returns NULL if memory is too short. */
struct spt_html_document *spt_html_document_new(const struct spt_html_counts *counts);

/* References are counted on the owner's thread only. */
static inline struct spt_html_document *spt_html_document_ref(struct spt_html_document *doc)
{
    doc->refs++;
    return doc;
}

void spt_html_document_unref(struct spt_html_document *doc);

/* Returns the bytes that such a document takes. */
size_t spt_html_document_room(const struct spt_html_counts *counts);

/* Returns the number of a name, or SPT_HTML_NONE if nothing in the page has it. */
uint32_t spt_html_document_name(const struct spt_html_document *doc, const char *name, size_t len);

/* Returns the node's attribute of that name, or NULL. */
const struct spt_html_attribute *spt_html_document_attribute(const struct spt_html_document *doc,
                                                             const struct spt_html_node *node,
                                                             uint32_t name);

static inline struct spt_html_text spt_html_document_name_text(const struct spt_html_document *doc,
                                                               uint32_t name)
{
    return (struct spt_html_text){doc->text + doc->names[name].text, doc->names[name].len};
}

static inline struct spt_html_text spt_html_document_value(const struct spt_html_document *doc,
                                                           const struct spt_html_attribute *a)
{
    return (struct spt_html_text){doc->text + a->value, a->len};
}

/* Returns the text of a node that is no element. */
static inline struct spt_html_text spt_html_document_text(const struct spt_html_document *doc,
                                                          const struct spt_html_node *node)
{
    return (struct spt_html_text){doc->text + node->first, node->count};
}

/* Returns the first node in a node, or SPT_HTML_NONE. */
static inline uint32_t spt_html_document_first(const struct spt_html_document *doc, uint32_t i)
{
    return doc->nodes[i].end > i + 1 ? i + 1 : SPT_HTML_NONE;
}

/* Returns the node behind a node in the same parent, or SPT_HTML_NONE. */
static inline uint32_t spt_html_document_next(const struct spt_html_document *doc, uint32_t i)
{
    const struct spt_html_node *node = &doc->nodes[i];
    if (node->parent == SPT_HTML_NONE || node->end >= doc->nodes[node->parent].end)
        return SPT_HTML_NONE;
    return node->end;
}

/* Returns the nearest element from `i` on among its siblings, or SPT_HTML_NONE. `i` may be that. */
static inline uint32_t spt_html_document_element_from(const struct spt_html_document *doc,
                                                      uint32_t i)
{
    while (i != SPT_HTML_NONE && doc->nodes[i].kind != SPT_HTML_ELEMENT)
        i = spt_html_document_next(doc, i);
    return i;
}

/* Returns the element before `i` among its siblings, or SPT_HTML_NONE. */
static inline uint32_t spt_html_document_element_before(const struct spt_html_document *doc,
                                                        uint32_t i)
{
    do {
        i = doc->nodes[i].previous;
    } while (i != SPT_HTML_NONE && doc->nodes[i].kind != SPT_HTML_ELEMENT);
    return i;
}

/* Returns true for an HTML element of that name, given in lower case. */
bool spt_html_document_is(const struct spt_html_document *doc, uint32_t i, const char *name);

#endif
