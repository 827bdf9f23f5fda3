/* SPDX-License-Identifier: MIT */
/* The header block and the connection of a response, as scripts read them. */
#ifndef SPT_OP_HTTP_HEADER_BLOCK_H
#define SPT_OP_HTTP_HEADER_BLOCK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#define SPT_HEADER_BLOCK_META "septet.http.head"

struct spt_request;

/* Pushes the header block of a response to a request with this number, as a userdata. The registry
 * has its metatable at `meta`. */
void spt_header_block_push(lua_State *L, const struct spt_request *r, uint32_t number, int meta);

/* Returns the lines of the header block at `index`, and their length in bytes. */
const char *spt_header_block_lines(lua_State *L, int index, size_t *len);

/* Returns true for an https request with certificate verification disabled. */
bool spt_header_block_is_insecure(const struct spt_request *r);

#endif
