/* SPDX-License-Identifier: MIT */
/* Parses pages in the thread pool, from a copy of their bytes. A page of a few bytes is parsed at
 * once. */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/transcode.h"
#include "core/account.h"
#include "core/check.h"
#include "core/error.h"
#include "core/sched.h"
#include "core/task.h"
#include "html/parse.h"
#include "op/env.h"
#include "op/html/handle.h"
#include "op/html/openers.h"
#include "op/job.h"
#include "op/library.h"

#define META "septet.html.page"

enum {
    SELF = 1,
    OPTIONS,
    SLICE = 1024 * 1024, /* bytes that are copied at a time */
    SMALL = 4096,        /* bytes that are parsed at once */
    SHORT_STEPS = 50000,
    CHARSET_MAX = 64,
};

/* Bytes on their way into a job. */
struct page {
    char *bytes;    /* owned; NULL once a job has them */
    size_t skipped; /* number of bytes of the text that are left out at its beginning */
    size_t len;     /* of all others */
    size_t copied;  /* of them */
};

struct parse {
    struct spt_job job;
    char *bytes; /* owned; NULL once they are not needed */
    size_t len;
    char charset[CHARSET_MAX], fallback[CHARSET_MAX]; /* "": UTF-8; none */
    struct spt_transcode how;                         /* the names are the ones above */
    struct spt_html_parse_limits limits;
    double seconds;
    struct spt_html_document *doc; /* a reference, if it succeeded */
    enum spt_html_status status;
};

/* --- in the pool --- */

/* Replaces the bytes by UTF-8. Returns false if memory is too short. */
static bool decode_as(struct parse *p, const char *charset)
{
    struct spt_transcode how = p->how;
    struct spt_buf out;
    how.charset = charset;
    if (!charset)
        how.unit = 1;
    spt_buf_init(&out, SIZE_MAX / 2);
    int rc = spt_transcode(&out, p->bytes, p->len, &how);
    if (rc == SEPTET_EINVAL) { /* not known: as if none were named */
        how = (struct spt_transcode){.unit = 1};
        rc = spt_transcode(&out, p->bytes, p->len, &how);
    }
    if (rc != SEPTET_OK) {
        spt_buf_release(&out);
        return false;
    }
    free(p->bytes);
    p->bytes = out.data;
    p->len = out.len;
    return true;
}

static bool decode(struct parse *p)
{
    if (p->charset[0])
        return decode_as(p, p->charset);
    if (spt_transcode_is_utf8(p->bytes, p->len))
        return true;
    return decode_as(p, p->fallback[0] ? p->fallback : NULL);
}

static void parse_with(struct parse *p, struct spt_html_budget *budget)
{
    char empty[1] = "";
    p->status = SPT_HTML_MEMORY;
    if (p->len < UINT32_MAX)
        p->status =
            spt_html_parse(&p->doc, p->bytes ? p->bytes : empty, p->len, &p->limits, budget);
}

static void run(struct spt_job *job)
{
    struct parse *p = SPT_OF(job, struct parse, job);
    struct spt_html_budget budget;
    spt_html_budget_init_long(&budget, p->seconds, &job->abandoned);
    p->status = SPT_HTML_NO_MEMORY;
    if (decode(p))
        parse_with(p, &budget);
    free(p->bytes);
    p->bytes = NULL;
}

static void release(struct spt_job *job)
{
    struct parse *p = SPT_OF(job, struct parse, job);
    free(p->bytes);
    if (p->doc)
        spt_html_document_unref(p->doc);
    free(p);
}

static void describe(const struct spt_job *job, char *text, size_t size)
{
    (void)job;
    snprintf(text, size, "parse");
}

static const struct spt_job_type job_type = {.run = run, .release = release, .describe = describe};

/* Pushes nil, the word for why there is no document, and the limit of memory. */
static int push_failure(lua_State *L, const struct parse *p)
{
    int n = spt_html_handle_push_failure(L, p->status);
    lua_pushinteger(L, (lua_Integer)p->limits.memory);
    return n + 1;
}

static int push(lua_State *L, struct spt_job *job)
{
    const struct parse *p = SPT_OF(job, struct parse, job);
    if (job->error)
        return spt_html_handle_push_failure(L, SPT_HTML_ABANDONED);
    if (p->status != SPT_HTML_OK)
        return push_failure(L, p);
    spt_html_handle_push(L);
    return spt_html_handle_fill(L, spt_html_document_ref(p->doc));
}

static const septet_op_type parse_type = SPT_JOB_WAIT_TYPE("html");

/* --- pages --- */

/* html_page(len, skipped): returns a page for a text of `len` bytes, without the first ones. */
static int l_page(lua_State *L)
{
    const size_t len = (size_t)spt_check_count(L, 1, 0), skipped = (size_t)spt_check_count(L, 2, 0);
    if (skipped > len)
        return spt_error_arg(L, 2, "more than there is");
    struct page *page = lua_newuserdatauv(L, sizeof *page, 0);
    *page = (struct page){.skipped = skipped, .len = len - skipped};
    luaL_setmetatable(L, META);
    page->bytes = malloc(page->len + 1);
    return page->bytes ? 1 : spt_error_no_memory(L);
}

/* page:add(bytes): copies the next bytes of a text. Returns true once the page has them all. */
static int l_add(lua_State *L)
{
    size_t len;
    struct page *page = spt_check_self(L, "page");
    const char *bytes = spt_check_string(L, OPTIONS, &len);
    if (len != page->skipped + page->len || !page->bytes)
        return spt_error_usage(L, "another text than before");
    size_t n = page->len - page->copied;
    if (n > SLICE)
        n = SLICE;
    memcpy(page->bytes + page->copied, bytes + page->skipped + page->copied, n);
    page->copied += n;
    lua_pushboolean(L, page->copied == page->len);
    return 1;
}

static void get_word(lua_State *L, const char *field, char word[CHARSET_MAX])
{
    size_t len;
    lua_getfield(L, OPTIONS, field);
    const char *text = lua_tolstring(L, -1, &len);
    if (text && len < CHARSET_MAX)
        memcpy(word, text, len + 1);
    lua_pop(L, 1);
}

static lua_Integer get_number(lua_State *L, const char *field)
{
    lua_getfield(L, OPTIONS, field);
    lua_Integer n = luaL_checkinteger(L, -1);
    lua_pop(L, 1);
    return n;
}

/* Returns the memory that the running task may have beside Lua's own: a page of a few bytes may
 * take a multiple of them. */
static size_t limit_memory(lua_State *L, size_t memory)
{
    const struct spt_sched *s = spt_env(L)->sched;
    return spt_account_max_memory(s->current ? s->current->spawn.account : &s->counts.account,
                                  memory);
}

static void get_options(lua_State *L, struct parse *p)
{
    luaL_checktype(L, OPTIONS, LUA_TTABLE);
    get_word(L, "charset", p->charset);
    get_word(L, "fallback", p->fallback);
    p->how.unit = (size_t)get_number(L, "unit");
    lua_getfield(L, OPTIONS, "controls");
    p->how.controls = lua_toboolean(L, -1);
    lua_getfield(L, OPTIONS, "seconds");
    p->seconds = luaL_checknumber(L, -1);
    lua_pop(L, 2);
    p->limits.memory = limit_memory(L, (size_t)get_number(L, "memory"));
    p->limits.depth = (uint32_t)get_number(L, "depth");
    p->limits.attributes = (uint32_t)get_number(L, "attributes");
}

/* Parses a small page. Returns false if that takes too long. */
static bool parse_at_once(struct parse *p, const struct page *page)
{
    struct spt_html_budget budget;
    if (page->len > SMALL || p->charset[0] || !spt_transcode_is_utf8(page->bytes, page->len))
        return false;
    spt_html_budget_init_short(&budget, SHORT_STEPS);
    p->bytes = page->bytes;
    p->len = page->len;
    parse_with(p, &budget);
    return p->status != SPT_HTML_STEPS;
}

static struct spt_job *new_job(const struct parse *plan, struct page *page)
{
    struct parse *p = malloc(sizeof *p);
    if (!p)
        return NULL;
    *p = *plan;
    p->job.type = &job_type;
    p->bytes = page->bytes;
    p->len = page->len;
    page->bytes = NULL;
    return &p->job;
}

/* page:parse(options): parses the page and returns a document and its weight. May wait. `charset`
 * is as iconv names it, with `unit` and `controls` as for text_decode(); `fallback` is for a page
 * without one that is not UTF-8. `seconds` is processor time. Returns nil, a word and the limit of
 * memory, which the embedder may have lowered, if a limit is exceeded. */
static int l_parse(lua_State *L)
{
    struct page *page = spt_check_self(L, "page");
    struct parse plan = {0};
    if (!page->bytes || page->copied < page->len)
        return spt_error_usage(L, "the page is incomplete");
    spt_library_need(L, SPT_NEEDS_HTML);
    get_options(L, &plan);
    spt_html_handle_push(L);
    if (parse_at_once(&plan, page)) {
        if (plan.status != SPT_HTML_OK)
            return push_failure(L, &plan);
        return spt_html_handle_fill(L, plan.doc);
    }
    struct spt_job_wait *wait = spt_job_wait_new(L, spt_env(L), &parse_type, push);
    return spt_job_await(L, wait, new_job(&plan, page));
}

static int l_gc(lua_State *L)
{
    struct page *page = spt_check_self(L, "page");
    free(page->bytes);
    page->bytes = NULL;
    return 0;
}

static const luaL_Reg methods[] = {
    {"add", l_add}, {"parse", l_parse}, {"__gc", l_gc}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"html_page", l_page}, {NULL, NULL}};

void spt_open_html_page(lua_State *L, struct spt_env *env)
{
    spt_new_type(L, env, META, methods);
    spt_add_functions(L, env, functions);
}
