/* SPDX-License-Identifier: MIT */
/* Shortens strings before they are escaped, so that a long item costs no more than a short one. */
#include "core/item_name.h"

#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/redact.h"

#define ITEM_MAX 512                           /* bytes of an item that are looked at */
#define CUT      "\xe2\x80\xa6"                /* an ellipsis, in place of the middle */
#define HALF     ((SPT_ITEM_NAME_MAX - 3) / 2) /* bytes on each side of it */

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

/* Copies `text` without its middle, unless it is short. */
static void shorten(char *out, size_t size, const char *text, size_t len)
{
    size_t head = HALF, tail = len - HALF;
    if (len <= SPT_ITEM_NAME_MAX) {
        snprintf(out, size, "%s", text);
        return;
    }
    while (continues(text[head]))
        head--;
    while (continues(text[tail]))
        tail++;
    snprintf(out, size, "%.*s" CUT "%s", (int)head, text, text + tail);
}

static void write_string(const char *item, size_t len, char *out, size_t size)
{
    char copy[ITEM_MAX + 1], room[4 * ITEM_MAX + 8];
    const char *text = room;
    if (len > ITEM_MAX)
        len = ITEM_MAX;
    memcpy(copy, item, len);
    copy[len] = '\0';
    if (strpbrk(copy, ":/")) /* otherwise an '@' is that of a mailbox */
        text = spt_redact_kept_url(copy, room, sizeof room);
    else
        spt_escape_text(room, sizeof room, copy, len);
    shorten(out, size, text, strlen(text));
}

bool spt_item_name_write(lua_State *L, int index, char *out, size_t size)
{
    size_t len;
    if (lua_type(L, index) == LUA_TSTRING) {
        const char *item = lua_tolstring(L, index, &len);
        write_string(item, len, out, size);
        return len > 0;
    }
    if (lua_isinteger(L, index))
        snprintf(out, size, "%lld", (long long)lua_tointeger(L, index));
    else
        snprintf(out, size, "%.14g", (double)lua_tonumber(L, index));
    return true;
}
