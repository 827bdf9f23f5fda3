/* SPDX-License-Identifier: MIT */
/* A CSS selector, compiled once and used on any document: Selectors level 3, and of level 4 :is(),
 * :where(), :not() with lists, :has(), "of" in :nth-child() and the flags of attributes. It knows
 * no document. */
#ifndef SPT_HTML_SELECTOR_H
#define SPT_HTML_SELECTOR_H

#include <stddef.h>

#include "html/css.h"

/* Compiles a selector in UTF-8. Returns NULL with an error, or with one that has no `what` if
 * memory is too short. The caller holds the one reference. */
struct spt_html_selector *spt_html_selector_new(const char *text, size_t len,
                                                struct spt_html_selector_error *error);

/* References are counted on the owner's thread only. */
static inline struct spt_html_selector *spt_html_selector_ref(struct spt_html_selector *selector)
{
    selector->refs++;
    return selector;
}

void spt_html_selector_unref(struct spt_html_selector *selector);

#endif
