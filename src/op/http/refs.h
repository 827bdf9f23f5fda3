/* SPDX-License-Identifier: MIT */
/* Values of Lua that every request needs. A reference into the registry is found in a third of the
 * instructions that a name takes. */
#ifndef SPT_OP_HTTP_REFS_H
#define SPT_OP_HTTP_REFS_H

#include <lua.h>
#include <stdbool.h>

/* Keys of the registry, and addresses of tables that the registry keeps alive. */
struct spt_http_refs {
    const void *session_meta;        /* of the sessions of session.lua; NULL until it is loaded */
    const void *session_handle_meta; /* of a struct spt_session_handle */
    int head_meta, response_meta;
    int sessions; /* keeps session_meta alive */
    int follow;   /* the function that follows the redirects of a response */
    int handle;   /* the key "handle" of a session */
    int body, head, redirect, status, url; /* the keys of a response */
    bool hooked;                           /* the host has hooks for the requests of all sessions */
};

/* Makes all references refer to nothing. */
void spt_http_refs_clear(struct spt_http_refs *refs);

/* Fills in the references, which were cleared. Raises out of memory. */
void spt_http_refs_init(lua_State *L, struct spt_http_refs *refs);

/* Releases the references, so that they refer to nothing. Allocates nothing. */
void spt_http_refs_release(lua_State *L, struct spt_http_refs *refs);

/* Takes from the stack what session.lua has: the metatable of sessions at 1, that of responses at
 * 2, and the function that follows redirects at 3. Raises out of memory. */
void spt_http_refs_take(lua_State *L, struct spt_http_refs *refs);

/* Returns true if the value at `index` has this metatable. */
static inline bool spt_http_refs_has_meta(lua_State *L, int index, const void *meta)
{
    if (!lua_getmetatable(L, index))
        return false;
    bool same = lua_topointer(L, -1) == meta;
    lua_pop(L, 1);
    return same;
}

#endif
