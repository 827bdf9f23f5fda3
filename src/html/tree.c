/* SPDX-License-Identifier: MIT */
/* Walks gumbo's tree twice, with a stack of its own: to count, and to fill the document. */
#include "html/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "html/names.h"
#include "septet/septet.h"

enum { STEPS = 8, REPLACEMENT_LEN = 3, ROOM_MIN = 64 };

/* An open node of the walk. */
struct frame {
    const GumboVector *children;
    unsigned done; /* number of children that were visited */
    uint32_t node; /* its own number */
    uint32_t last; /* the child that was visited last, or SPT_HTML_NONE */
};

struct builder {
    const struct spt_html_tree_limits *limits;
    enum spt_html_status status;
    struct spt_html_names names;
    uint32_t tags[GUMBO_TAG_LAST]; /* names of HTML's tags, by gumbo's number; or SPT_HTML_NONE */
    struct spt_buf name;           /* of the tag or the attribute at hand */
    struct frame *frames;          /* owned */
    size_t depth, room;            /* in use and allocated */
    struct spt_html_counts counts; /* of all that was visited in this walk */
    struct spt_html_document *doc; /* NULL while it counts */
};

static void fail(struct builder *b, enum spt_html_status status)
{
    if (b->status == SPT_HTML_OK)
        b->status = status;
}

/* --- names --- */

/* Appends bytes, in lower case if `lower`. A NUL becomes U+FFFD. */
static void append(struct builder *b, const char *bytes, size_t len, bool lower)
{
    int rc = spt_buf_reserve(&b->name, REPLACEMENT_LEN * len);
    if (rc != SEPTET_OK) {
        fail(b, SPT_HTML_NO_MEMORY);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        char c = bytes[i];
        if (!c) {
            memcpy(b->name.data + b->name.len, "\xef\xbf\xbd", REPLACEMENT_LEN);
            b->name.len += REPLACEMENT_LEN;
            continue;
        }
        b->name.data[b->name.len++] = (char)(lower && c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    }
}

static void spend(struct builder *b, unsigned steps)
{
    if (!spt_html_budget_spend(b->limits->budget, steps))
        fail(b, b->limits->budget->exceeded);
}

/* A page may have names that all share a chain. */
static uint32_t number_of_name(struct builder *b)
{
    if (b->status != SPT_HTML_OK)
        return SPT_HTML_NONE;
    uint32_t i = spt_html_names_add(&b->names, b->name.data ? b->name.data : "", b->name.len);
    if (i == SPT_HTML_NONE)
        fail(b, SPT_HTML_NO_MEMORY);
    spend(b, 1 + b->names.probes);
    return i;
}

/* Cuts the name from a tag as it was written: "<name attribute>" or "</name>". */
static GumboStringPiece written_name(GumboStringPiece tag)
{
    size_t from = 1, end;
    if (tag.length > 1 && tag.data[1] == '/')
        from = 2;
    for (end = from; end < tag.length; end++)
        if (tag.data[end] && strchr(" \t\n\f\r/>", tag.data[end]))
            break;
    if (end > tag.length)
        return (GumboStringPiece){"", 0};
    return (GumboStringPiece){tag.data + from, end - from};
}

static uint32_t name_of_tag(struct builder *b, const GumboElement *element)
{
    const bool plain =
        element->tag_namespace == GUMBO_NAMESPACE_HTML && element->tag < GUMBO_TAG_UNKNOWN;
    if (plain && b->tags[element->tag] != SPT_HTML_NONE)
        return b->tags[element->tag];
    GumboStringPiece written = written_name(element->original_tag);
    const char *known =
        element->tag < GUMBO_TAG_UNKNOWN ? gumbo_normalized_tagname(element->tag) : NULL;
    if (element->tag_namespace == GUMBO_NAMESPACE_SVG && written.length > 0) {
        const char *svg = gumbo_normalize_svg_tagname(&written);
        known = svg ? svg : known;
    }
    b->name.len = 0;
    if (known)
        append(b, known, strlen(known), false);
    else
        append(b, written.data, written.length, true);
    uint32_t i = number_of_name(b);
    if (plain)
        b->tags[element->tag] = i;
    return i;
}

static uint32_t name_of_attribute(struct builder *b, const GumboAttribute *a)
{
    const char *prefix = "";
    if (a->attr_namespace == GUMBO_ATTR_NAMESPACE_XLINK)
        prefix = "xlink:";
    else if (a->attr_namespace == GUMBO_ATTR_NAMESPACE_XML)
        prefix = "xml:";
    else if (a->attr_namespace == GUMBO_ATTR_NAMESPACE_XMLNS && strcmp(a->name, "xmlns") != 0)
        prefix = "xmlns:";
    b->name.len = 0;
    if (strncmp(a->name, prefix, strlen(prefix)) != 0)
        append(b, prefix, strlen(prefix), false);
    append(b, a->name, strlen(a->name), false);
    return number_of_name(b);
}

/* --- nodes --- */

/* Adds a text, and returns its offset. */
static uint32_t add_text(struct builder *b, const char *text, size_t len)
{
    size_t offset = b->counts.bytes;
    if (len > UINT32_MAX - offset)
        fail(b, SPT_HTML_MEMORY);
    else if (b->doc)
        memcpy(b->doc->text + offset, text, len);
    b->counts.bytes += len;
    return (uint32_t)offset;
}

static void add_attributes(struct builder *b, const GumboVector *attributes)
{
    if (attributes->length > b->limits->attributes) /* of several tags of "html" or "body" */
        fail(b, SPT_HTML_ATTRIBUTES);
    for (unsigned i = 0; i < attributes->length && b->status == SPT_HTML_OK; i++) {
        const GumboAttribute *from = attributes->data[i];
        const size_t len = strlen(from->value);
        struct spt_html_attribute to = {.name = name_of_attribute(b, from), .len = (uint32_t)len};
        to.value = add_text(b, from->value, len);
        if (b->doc)
            b->doc->attributes[b->counts.attributes] = to;
        b->counts.attributes++;
    }
}

/* Adds a node below the open one, and returns its number. For now it ends with itself. */
static uint32_t add_node(struct builder *b, struct spt_html_node node)
{
    struct frame *frame = b->depth > 0 ? &b->frames[b->depth - 1] : NULL;
    uint32_t i = b->counts.nodes++;
    if (b->counts.nodes == SPT_HTML_NONE)
        fail(b, SPT_HTML_MEMORY);
    node.parent = frame ? frame->node : SPT_HTML_NONE;
    node.previous = frame ? frame->last : SPT_HTML_NONE;
    node.end = i + 1;
    if (frame)
        frame->last = i;
    if (b->doc)
        b->doc->nodes[i] = node;
    return i;
}

static uint32_t add_element(struct builder *b, const GumboElement *element)
{
    struct spt_html_node node = {.kind = SPT_HTML_ELEMENT, .name = name_of_tag(b, element)};
    if (element->tag_namespace != GUMBO_NAMESPACE_HTML)
        node.space = element->tag_namespace == GUMBO_NAMESPACE_SVG ? SPT_HTML_SPACE_SVG
                                                                   : SPT_HTML_SPACE_MATHML;
    node.first = b->counts.attributes;
    node.count = element->attributes.length;
    add_attributes(b, &element->attributes);
    return add_node(b, node);
}

static void add_leaf(struct builder *b, enum spt_html_kind kind, const char *text)
{
    struct spt_html_node node = {.kind = (uint8_t)kind, .name = SPT_HTML_NONE};
    const size_t len = strlen(text);
    node.first = add_text(b, text, len);
    node.count = (uint32_t)len;
    add_node(b, node);
}

/* --- the walk --- */

static void open_node(struct builder *b, uint32_t node, const GumboVector *children)
{
    if (b->depth > b->limits->depth) {
        fail(b, SPT_HTML_DEPTH);
        return;
    }
    if (b->depth == b->room) {
        size_t room = b->room ? 2 * b->room : ROOM_MIN;
        struct frame *frames = realloc(b->frames, room * sizeof *frames);
        if (!frames) {
            fail(b, SPT_HTML_NO_MEMORY);
            return;
        }
        b->frames = frames;
        b->room = room;
    }
    b->frames[b->depth++] = (struct frame){children, 0, node, SPT_HTML_NONE};
}

static void close_node(struct builder *b)
{
    b->depth--;
    if (b->doc)
        b->doc->nodes[b->frames[b->depth].node].end = b->counts.nodes;
}

static void visit(struct builder *b, const GumboNode *node)
{
    switch (node->type) {
    case GUMBO_NODE_ELEMENT:
    case GUMBO_NODE_TEMPLATE:
        open_node(b, add_element(b, &node->v.element), &node->v.element.children);
        break;
    case GUMBO_NODE_COMMENT:
        add_leaf(b, SPT_HTML_COMMENT, node->v.text.text);
        break;
    case GUMBO_NODE_TEXT:
    case GUMBO_NODE_WHITESPACE:
    case GUMBO_NODE_CDATA:
        add_leaf(b, SPT_HTML_TEXT, node->v.text.text);
        break;
    case GUMBO_NODE_DOCUMENT:
        break;
    }
}

static void walk(struct builder *b, const GumboNode *root)
{
    const GumboDocument *document = &root->v.document;
    b->counts = (struct spt_html_counts){0};
    struct spt_html_node top = {.kind = SPT_HTML_DOCUMENT, .name = SPT_HTML_NONE};
    open_node(b, add_node(b, top), &document->children);
    if (document->has_doctype)
        add_leaf(b, SPT_HTML_DOCTYPE, document->name);
    while (b->depth > 0 && b->status == SPT_HTML_OK) {
        struct frame *frame = &b->frames[b->depth - 1];
        spend(b, STEPS);
        if (frame->done < frame->children->length)
            visit(b, frame->children->data[frame->done++]);
        else
            close_node(b);
    }
}

/* Makes the document for what was counted. */
static void make(struct builder *b)
{
    struct spt_html_counts counts = b->counts;
    counts.bytes += b->names.text.len;
    counts.names = b->names.count;
    counts.chains = b->names.nchains ? b->names.nchains : 1;
    if (counts.bytes > UINT32_MAX || spt_html_document_room(&counts) > b->limits->memory) {
        fail(b, SPT_HTML_MEMORY);
        return;
    }
    b->doc = spt_html_document_new(&counts);
    if (!b->doc) {
        fail(b, SPT_HTML_NO_MEMORY);
        return;
    }
    spt_html_names_copy(&b->names, b->doc, (uint32_t)b->counts.bytes);
}

enum spt_html_status spt_html_tree_copy(struct spt_html_document **doc, const GumboOutput *output,
                                        const struct spt_html_tree_limits *limits)
{
    const GumboNode *root = output->document;
    struct builder b = {.limits = limits};
    memset(b.tags, 0xff, sizeof b.tags);
    spt_html_names_init(&b.names);
    spt_buf_init(&b.name, UINT32_MAX);
    walk(&b, root);
    if (b.status == SPT_HTML_OK)
        make(&b);
    if (b.status == SPT_HTML_OK)
        walk(&b, root);
    if (b.status == SPT_HTML_OK) {
        b.doc->counts.names = b.names.count;
        b.doc->quirks = root->v.document.doc_type_quirks_mode == GUMBO_DOCTYPE_QUIRKS;
        *doc = b.doc;
    } else if (b.doc) {
        spt_html_document_unref(b.doc);
    }
    spt_html_names_release(&b.names);
    spt_buf_release(&b.name);
    free(b.frames);
    return b.status;
}
