/* SPDX-License-Identifier: MIT */
/* Keeps as many chains as names, or up to twice as many. */
#include "html/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "septet/septet.h"

enum { ROOM_MIN = 64 };

void spt_html_names_init(struct spt_html_names *names)
{
    *names = (struct spt_html_names){0};
    spt_buf_init(&names->text, UINT32_MAX);
}

void spt_html_names_release(struct spt_html_names *names)
{
    spt_buf_release(&names->text);
    free(names->entries);
    free(names->chains);
}

static void link_name(struct spt_html_names *names, uint32_t i)
{
    struct spt_html_name *name = &names->entries[i];
    uint32_t hash = spt_hash(names->text.data + name->text, name->len);
    uint32_t *chain = &names->chains[hash & (names->nchains - 1)];
    name->next = *chain;
    *chain = i;
}

static bool grow(struct spt_html_names *names)
{
    const uint32_t room = names->room ? 2 * names->room : ROOM_MIN;
    struct spt_html_name *entries = realloc(names->entries, room * sizeof *entries);
    if (!entries)
        return false;
    names->entries = entries;
    uint32_t *chains = realloc(names->chains, room * sizeof *chains);
    if (!chains)
        return false;
    names->chains = chains;
    names->room = names->nchains = room;
    memset(chains, 0xff, room * sizeof *chains);
    for (uint32_t i = 0; i < names->count; i++)
        link_name(names, i);
    return true;
}

static uint32_t find(struct spt_html_names *names, const char *name, size_t len)
{
    names->probes = 0;
    if (names->nchains == 0)
        return SPT_HTML_NONE;
    uint32_t i = names->chains[spt_hash(name, len) & (names->nchains - 1)];
    for (; i != SPT_HTML_NONE; i = names->entries[i].next, names->probes++)
        if (names->entries[i].len == len &&
            memcmp(names->text.data + names->entries[i].text, name, len) == 0)
            break;
    return i;
}

uint32_t spt_html_names_add(struct spt_html_names *names, const char *name, size_t len)
{
    const uint32_t found = find(names, name, len);
    if (found != SPT_HTML_NONE)
        return found;
    if (names->count == names->room && !grow(names))
        return SPT_HTML_NONE;
    const uint32_t i = names->count, text = (uint32_t)names->text.len;
    if (spt_buf_append(&names->text, name, len) != SEPTET_OK)
        return SPT_HTML_NONE;
    names->entries[i] = (struct spt_html_name){.text = text, .len = (uint32_t)len};
    names->count++;
    link_name(names, i);
    return i;
}

void spt_html_names_copy(const struct spt_html_names *names, struct spt_html_document *doc,
                         uint32_t offset)
{
    memset(doc->chains, 0xff, doc->counts.chains * sizeof *doc->chains);
    if (names->count == 0)
        return;
    memcpy(doc->text + offset, names->text.data, names->text.len);
    memcpy(doc->chains, names->chains, names->nchains * sizeof *doc->chains);
    for (uint32_t i = 0; i < names->count; i++) {
        doc->names[i] = names->entries[i];
        doc->names[i].text += offset;
    }
}
