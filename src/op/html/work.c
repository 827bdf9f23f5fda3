/* SPDX-License-Identifier: MIT */
/* Searches and writes parts of documents. What is small is done at once; what turns out to be large
 * is begun again in the thread pool. The job holds the document, whatever becomes of its handle. */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "html/select.h"
#include "html/serialise.h"
#include "html/text.h"
#include "op/env.h"
#include "op/html/handle.h"
#include "op/html/openers.h"
#include "op/job.h"

enum {
    SELF = 1,
    NODE,
    SELECTOR,
    SHORT_STEPS = 30000,      /* some 0.3 ms */
    SCRATCH_KEPT = 64 * 1024, /* bytes */
};

#define SECONDS 10.0 /* of processor time, for one search */

enum task { SEARCH, SEARCH_ONE, SEARCH_SELF, CHILDREN, SHOWN, RAW, MARKUP, INNER };

struct work {
    struct spt_job job;
    enum task task;
    uint32_t node;
    struct spt_html_document *doc;      /* a reference */
    struct spt_html_selector *selector; /* a reference; NULL for other tasks */
    struct spt_buf out;
    enum spt_html_status status;
};

static enum spt_html_status list_children(struct spt_buf *out, const struct spt_html_document *doc,
                                          uint32_t node, struct spt_html_budget *budget)
{
    uint32_t i = spt_html_document_first(doc, node);
    for (; i != SPT_HTML_NONE; i = spt_html_document_next(doc, i)) {
        if (!spt_html_budget_spend(budget, 1))
            return budget->exceeded;
        if (spt_buf_append(out, &i, sizeof i) != SEPTET_OK)
            return SPT_HTML_NO_MEMORY;
    }
    return SPT_HTML_OK;
}

static enum spt_html_status perform(const struct work *w, struct spt_buf *out,
                                    struct spt_html_budget *budget)
{
    switch (w->task) {
    case SEARCH:
    case SEARCH_ONE:
        return spt_html_select(out, w->doc, w->node, w->selector, w->task == SEARCH_ONE, budget);
    case SEARCH_SELF:
        return spt_html_select_self(out, w->doc, w->node, w->selector, budget);
    case CHILDREN:
        return list_children(out, w->doc, w->node, budget);
    case SHOWN:
        return spt_html_text_shown(out, w->doc, w->node, budget);
    case RAW:
        return spt_html_text_raw(out, w->doc, w->node, budget);
    case MARKUP:
    case INNER:
        return spt_html_serialise(out, w->doc, w->node, w->task == INNER, budget);
    }
    return SPT_HTML_OK;
}

/* --- in the pool --- */

static void run(struct spt_job *job)
{
    struct work *w = SPT_OF(job, struct work, job);
    struct spt_html_budget budget;
    spt_html_budget_init_long(&budget, SECONDS, &job->abandoned);
    w->status = perform(w, &w->out, &budget);
    if (w->status != SPT_HTML_OK)
        spt_buf_release(&w->out);
}

static void release(struct spt_job *job)
{
    struct work *w = SPT_OF(job, struct work, job);
    spt_html_document_unref(w->doc);
    if (w->selector)
        spt_html_selector_unref(w->selector);
    spt_buf_release(&w->out);
    free(w);
}

static const struct spt_job_type job_type = {.run = run, .release = release};

static int push_buffer(lua_State *L, const struct spt_buf *out)
{
    lua_pushlstring(L, out->data ? out->data : "", out->len);
    return 1;
}

static int push(lua_State *L, struct spt_job *job)
{
    const struct work *w = SPT_OF(job, struct work, job);
    if (job->error)
        return spt_html_handle_push_failure(L, SPT_HTML_ABANDONED);
    if (w->status != SPT_HTML_OK)
        return spt_html_handle_push_failure(L, w->status);
    return push_buffer(L, &w->out);
}

static const septet_op_type work_type = SPT_JOB_WAIT_TYPE("html");

static struct spt_job *new_job(const struct work *plan)
{
    struct work *w = malloc(sizeof *w);
    if (!w)
        return NULL;
    *w = *plan;
    w->job.type = &job_type;
    spt_html_document_ref(w->doc);
    if (w->selector)
        spt_html_selector_ref(w->selector);
    spt_buf_init(&w->out, SIZE_MAX / 2);
    return &w->job;
}

/* --- at once, if it is short --- */

static int do_task(lua_State *L, enum task task, struct spt_html_selector *selector)
{
    struct spt_html_handle *handle = spt_check_self(L, "document");
    struct spt_buf *out = &handle->scratch;
    struct spt_html_budget budget;
    if (!handle->doc)
        return spt_error_usage(L, "the document is gone");
    const struct work plan = {.task = task,
                              .doc = handle->doc,
                              .selector = selector,
                              .node = spt_html_handle_node(L, NODE, handle->doc)};
    out->len = 0;
    spt_html_budget_init_short(&budget, SHORT_STEPS);
    enum spt_html_status status = perform(&plan, out, &budget);
    if (status == SPT_HTML_STEPS) {
        spt_buf_release(out);
        struct spt_job_wait *wait = spt_job_wait_new(L, spt_env(L), &work_type, push);
        return spt_job_await(L, wait, new_job(&plan));
    }
    const int n =
        status == SPT_HTML_OK ? push_buffer(L, out) : spt_html_handle_push_failure(L, status);
    if (out->cap > SCRATCH_KEPT)
        spt_buf_release(out);
    return n;
}

/* document:search(i, selector, how): returns the numbers of the elements that match, each as an
 * unsigned 32-bit integer of a string. They lie in node i; the first only if `how` is "first"; or
 * node i itself if it is "self". May wait. Returns nil and a word if that would take too long. */
static int l_search(lua_State *L)
{
    const struct spt_html_selector_handle *handle =
        spt_check_udata(L, SELECTOR, SPT_HTML_SELECTOR_META, "selector");
    if (!handle->selector) /* in a finalizer behind its own */
        return spt_error_usage(L, "the selector is gone");
    const char *how = luaL_optstring(L, SELECTOR + 1, "");
    enum task task = SEARCH;
    if (strcmp(how, "first") == 0)
        task = SEARCH_ONE;
    else if (strcmp(how, "self") == 0)
        task = SEARCH_SELF;
    return do_task(L, task, handle->selector);
}

/* document:nodes(i): returns the numbers of all nodes directly in node i, like search(). */
static int l_nodes(lua_State *L)
{
    return do_task(L, CHILDREN, NULL);
}

/* document:text(i, raw): returns the text of a node, as it is shown or as it is written. */
static int l_text(lua_State *L)
{
    return do_task(L, lua_toboolean(L, SELECTOR) ? RAW : SHOWN, NULL);
}

/* document:markup(i, inner): returns a node as HTML, or only what lies in it. */
static int l_markup(lua_State *L)
{
    return do_task(L, lua_toboolean(L, SELECTOR) ? INNER : MARKUP, NULL);
}

static const luaL_Reg methods[] = {
    {"search", l_search}, {"nodes", l_nodes}, {"text", l_text}, {"markup", l_markup}, {NULL, NULL}};

void spt_open_html_work(lua_State *L, struct spt_env *env)
{
    spt_add_methods(L, env, SPT_HTML_HANDLE_META, methods);
}
