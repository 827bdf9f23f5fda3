/* SPDX-License-Identifier: MIT */
/* The names of tags and attributes of a page that is being made, each once, with a number. */
#ifndef SPT_HTML_NAMES_H
#define SPT_HTML_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "html/document.h"

struct spt_html_names {
    struct spt_buf text;           /* of all names */
    struct spt_html_name *entries; /* owned; their texts are offsets in `text` */
    uint32_t count, room;
    uint32_t *chains; /* owned; the first name of each chain, by its hash */
    uint32_t nchains; /* a power of two; 0 before the first name */
    unsigned probes;  /* number of names that the last search went through */
};

/* Initialises an empty table. */
void spt_html_names_init(struct spt_html_names *names);
void spt_html_names_release(struct spt_html_names *names);

/* Returns the number of a name, which is added if it is new. Returns SPT_HTML_NONE if memory is too
 * short. */
uint32_t spt_html_names_add(struct spt_html_names *names, const char *name, size_t len);

/* Copies the names into a document that has room for them, with their texts at `offset`. */
void spt_html_names_copy(const struct spt_html_names *names, struct spt_html_document *doc,
                         uint32_t offset);

#endif
