/* SPDX-License-Identifier: MIT */
/* Keeps the arrays of a page in one block, the widest members first. */
#include "html/document.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

size_t spt_html_document_room(const struct spt_html_counts *counts)
{
    return sizeof(struct spt_html_document) + counts->nodes * sizeof(struct spt_html_node) +
           counts->attributes * sizeof(struct spt_html_attribute) +
           counts->names * sizeof(struct spt_html_name) + counts->chains * sizeof(uint32_t) +
           counts->bytes;
}

struct spt_html_document *spt_html_document_new(const struct spt_html_counts *counts)
{
    const size_t size = spt_html_document_room(counts);
    struct spt_html_document *doc = malloc(size);
    if (!doc)
        return NULL;
    *doc = (struct spt_html_document){.counts = *counts, .size = size, .refs = 1};
    doc->nodes = (struct spt_html_node *)(doc + 1);
    doc->attributes = (struct spt_html_attribute *)(doc->nodes + counts->nodes);
    doc->names = (struct spt_html_name *)(doc->attributes + counts->attributes);
    doc->chains = (uint32_t *)(doc->names + counts->names);
    doc->text = (char *)(doc->chains + counts->chains);
    return doc;
}

void spt_html_document_unref(struct spt_html_document *doc)
{
    if (--doc->refs == 0)
        free(doc);
}

uint32_t spt_html_document_name(const struct spt_html_document *doc, const char *name, size_t len)
{
    uint32_t i = doc->chains[spt_hash(name, len) & (doc->counts.chains - 1)];
    for (; i != SPT_HTML_NONE; i = doc->names[i].next)
        if (doc->names[i].len == len && memcmp(doc->text + doc->names[i].text, name, len) == 0)
            return i;
    return SPT_HTML_NONE;
}

const struct spt_html_attribute *spt_html_document_attribute(const struct spt_html_document *doc,
                                                             const struct spt_html_node *node,
                                                             uint32_t name)
{
    const struct spt_html_attribute *a = doc->attributes + node->first;
    if (node->kind != SPT_HTML_ELEMENT || name == SPT_HTML_NONE)
        return NULL;
    for (uint32_t n = node->count; n > 0; n--, a++)
        if (a->name == name)
            return a;
    return NULL;
}

bool spt_html_document_is(const struct spt_html_document *doc, uint32_t i, const char *name)
{
    const struct spt_html_node *node = &doc->nodes[i];
    if (node->kind != SPT_HTML_ELEMENT || node->space != SPT_HTML_SPACE_HTML)
        return false;
    struct spt_html_text text = spt_html_document_name_text(doc, node->name);
    return text.len == strlen(name) && memcmp(text.bytes, name, text.len) == 0;
}
