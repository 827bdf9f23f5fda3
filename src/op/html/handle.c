/* SPDX-License-Identifier: MIT */
/* Answers what takes a few steps: names, attributes, neighbours. What takes longer is in work.c. */
#include "op/html/handle.h"

#include <lauxlib.h>
#include <string.h>

#include "core/check.h"
#include "core/error.h"
#include "op/env.h"
#include "op/html/openers.h"

enum { SELF = 1, NODE, NAME }; /* the stack of the methods */

static struct spt_html_document *check_document(lua_State *L)
{
    struct spt_html_handle *handle = spt_check_self(L, "document");
    if (!handle->doc)
        spt_error_usage(L, "the document is gone");
    return handle->doc;
}

struct spt_html_handle *spt_html_handle_push(lua_State *L)
{
    struct spt_html_handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct spt_html_handle){0};
    spt_buf_init(&handle->scratch, SIZE_MAX / 2);
    luaL_setmetatable(L, SPT_HTML_HANDLE_META);
    return handle;
}

int spt_html_handle_fill(lua_State *L, struct spt_html_document *doc)
{
    struct spt_html_handle *handle = lua_touserdata(L, -1);
    handle->doc = doc;
    /* A block as large as the document, which is never touched: so the state's limit counts it, and
     * the collector knows what a dropped document is worth. It is no user value of the handle, as
     * Lua keeps those for a cycle more, for the finalizer. */
    lua_newuserdatauv(L, doc->size, 0);
    return 2;
}

uint32_t spt_html_handle_node(lua_State *L, int arg, const struct spt_html_document *doc)
{
    lua_Integer i = spt_check_count(L, arg, 0);
    if (i >= doc->counts.nodes)
        spt_error_arg(L, arg, "no such node");
    return (uint32_t)i;
}

int spt_html_handle_push_failure(lua_State *L, enum spt_html_status status)
{
    static const char *const words[] = {
        [SPT_HTML_MEMORY] = "too_big",
        [SPT_HTML_DEPTH] = "too_deep",
        [SPT_HTML_ATTRIBUTES] = "too_many_attributes",
        [SPT_HTML_TIME] = "too_slow",
        [SPT_HTML_ABANDONED] = "closed",
        [SPT_HTML_STEPS] = "too_slow",
    };
    if (status == SPT_HTML_NO_MEMORY)
        return spt_error_no_memory(L);
    lua_pushnil(L);
    lua_pushstring(L, words[status]);
    return 2;
}

static int push_nil(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

static int push_text(lua_State *L, struct spt_html_text text)
{
    lua_pushlstring(L, text.bytes, text.len);
    return 1;
}

static int push_node(lua_State *L, uint32_t i)
{
    if (i == SPT_HTML_NONE)
        return push_nil(L);
    lua_pushinteger(L, i);
    return 1;
}

/* document:tag(i): returns the name of an element. Returns nil for other nodes. */
static int l_tag(lua_State *L)
{
    const struct spt_html_document *doc = check_document(L);
    const struct spt_html_node *node = &doc->nodes[spt_html_handle_node(L, NODE, doc)];
    if (node->kind != SPT_HTML_ELEMENT)
        return push_nil(L);
    return push_text(L, spt_html_document_name_text(doc, node->name));
}

/* document:leaf(i): returns the text of a text node. Returns nil for other nodes. */
static int l_leaf(lua_State *L)
{
    const struct spt_html_document *doc = check_document(L);
    const struct spt_html_node *node = &doc->nodes[spt_html_handle_node(L, NODE, doc)];
    if (node->kind != SPT_HTML_TEXT)
        return push_nil(L);
    return push_text(L, spt_html_document_text(doc, node));
}

/* document:attribute(i, name): returns the value of an attribute, or nil. */
static int l_attribute(lua_State *L)
{
    size_t len;
    const struct spt_html_document *doc = check_document(L);
    const struct spt_html_node *node = &doc->nodes[spt_html_handle_node(L, NODE, doc)];
    const char *name = spt_check_string(L, NAME, &len);
    const struct spt_html_attribute *a =
        spt_html_document_attribute(doc, node, spt_html_document_name(doc, name, len));
    return a ? push_text(L, spt_html_document_value(doc, a)) : push_nil(L);
}

/* document:attributes(i): returns the names and values, in order: name, value, name... */
static int l_attributes(lua_State *L)
{
    const struct spt_html_document *doc = check_document(L);
    const struct spt_html_node *node = &doc->nodes[spt_html_handle_node(L, NODE, doc)];
    const uint32_t n = node->kind == SPT_HTML_ELEMENT ? node->count : 0;
    lua_createtable(L, (int)(2 * n), 0);
    for (uint32_t k = 0; k < n; k++) {
        const struct spt_html_attribute *a = &doc->attributes[node->first + k];
        push_text(L, spt_html_document_name_text(doc, a->name));
        lua_rawseti(L, -2, 2 * (lua_Integer)k + 1);
        push_text(L, spt_html_document_value(doc, a));
        lua_rawseti(L, -2, 2 * (lua_Integer)k + 2);
    }
    return 1;
}

/* document:parent(i): returns the element around a node, or nil at the top. */
static int l_parent(lua_State *L)
{
    const struct spt_html_document *doc = check_document(L);
    const uint32_t parent = doc->nodes[spt_html_handle_node(L, NODE, doc)].parent;
    return push_node(L, parent == 0 ? SPT_HTML_NONE : parent);
}

/* document:next(i): returns the element behind a node in the same parent, or nil. */
static int l_next(lua_State *L)
{
    const struct spt_html_document *doc = check_document(L);
    const uint32_t i = spt_html_handle_node(L, NODE, doc);
    return push_node(L, spt_html_document_element_from(doc, spt_html_document_next(doc, i)));
}

/* document:previous(i): returns the element before a node in the same parent, or nil. */
static int l_previous(lua_State *L)
{
    const struct spt_html_document *doc = check_document(L);
    return push_node(L, spt_html_document_element_before(doc, spt_html_handle_node(L, NODE, doc)));
}

static int l_gc(lua_State *L)
{
    struct spt_html_handle *handle = spt_check_self(L, "document");
    struct spt_html_document *doc = handle->doc;
    handle->doc = NULL;
    spt_buf_release(&handle->scratch);
    if (doc)
        spt_html_document_unref(doc);
    return 0;
}

static const luaL_Reg methods[] = {{"tag", l_tag},
                                   {"leaf", l_leaf},
                                   {"attribute", l_attribute},
                                   {"attributes", l_attributes},
                                   {"parent", l_parent},
                                   {"next", l_next},
                                   {"previous", l_previous},
                                   {"__gc", l_gc},
                                   {NULL, NULL}};

void spt_open_html_handle(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, SPT_HTML_HANDLE_META, methods);
}
