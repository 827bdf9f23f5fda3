/* SPDX-License-Identifier: MIT */
/* Documents as Lua sees them: a userdata that holds a reference, and methods that take the numbers
 * of nodes. */
#ifndef SPT_OP_HTML_HANDLE_H
#define SPT_OP_HTML_HANDLE_H

#include <lua.h>

#include "base/buf.h"
#include "html/budget.h"
#include "html/document.h"
#include "html/selector.h"

#define SPT_HTML_HANDLE_META   "septet.html.document"
#define SPT_HTML_SELECTOR_META "septet.html.selector"

struct spt_html_handle {
    struct spt_html_document *doc; /* a reference */
    struct spt_buf scratch;        /* of results that are made at once */
};

struct spt_html_selector_handle {
    struct spt_html_selector *selector; /* a reference */
};

/* Pushes a handle without a document. Raises out of memory. */
struct spt_html_handle *spt_html_handle_push(lua_State *L);

/* Gives the handle on top of the stack a document, and takes the caller's reference. Pushes the
 * weight of the document: as long as Lua keeps that, its memory is charged as if it were Lua's.
 * Returns 2, the number of values. Raises out of memory. */
int spt_html_handle_fill(lua_State *L, struct spt_html_document *doc);

/* Returns the number of a node at `arg`. Raises Usage if the document has none of it. */
uint32_t spt_html_handle_node(lua_State *L, int arg, const struct spt_html_document *doc);

/* Pushes nil and the word for why there is no result. Raises out of memory. */
int spt_html_handle_push_failure(lua_State *L, enum spt_html_status status);

#endif
