/* SPDX-License-Identifier: MIT */
/* Runs each job in the thread pool, as one function of the file. The loop's thread reads what a job
 * has changed only after its end. */
#include "loop/output.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "loop/loop.h"
#include "septet/septet.h"

static struct spt_output *new_output(struct spt_loop *loop, const char *path, unsigned flags)
{
    struct spt_output *out = calloc(1, sizeof *out);
    if (!out)
        return NULL;
    out->loop = loop;
    if (spt_disk_file_init(&out->file, path, flags) == SEPTET_OK)
        return out;
    free(out);
    return NULL;
}

static void release(struct spt_output *out)
{
    spt_disk_file_release(&out->file);
    free(out);
}

/* --- in the pool and out of it --- */

static void on_work(uv_work_t *work)
{
    struct spt_output *out = SPT_OF(work, struct spt_output, work);
    out->result = out->job(&out->file);
}

static void on_worked(uv_work_t *work, int status);

static void start(struct spt_output *out, spt_disk_file_job *job)
{
    assert(!out->in_pool);
    out->job = job;
    out->result = 0;
    out->in_pool = true;
    spt_loop_handle_opened(out->loop);
    uv_queue_work(spt_loop_uv(out->loop), &out->work, on_work, on_worked);
}

/* Records an error, unless there was an earlier one. */
static void note(struct spt_output *out, int error)
{
    if (out->error || !error)
        return;
    out->error = error;
    out->failed_step = out->file.step;
}

static void tell(struct spt_output *out)
{
    spt_output_fn *fn = out->on_done;
    out->on_done = NULL;
    if (fn)
        fn(out->ud);
}

/* Completes a job. The descriptor of a freed output is also closed in the pool, because closing may
 * take long. */
static void on_worked(uv_work_t *work, int status)
{
    struct spt_output *out = SPT_OF(work, struct spt_output, work);
    struct spt_loop *loop = out->loop;
    out->in_pool = false;
    if (out->freed && out->file.fd >= 0)
        start(out, spt_disk_file_close);
    else if (out->freed)
        release(out);
    else {
        note(out, status ? status : out->result);
        tell(out);
    }
    spt_loop_handle_closed(loop);
}

void spt_output_free(struct spt_output *out)
{
    out->freed = true;
    out->file.abandoned = true;
    out->on_done = NULL;
    if (out->in_pool) {
        uv_cancel((uv_req_t *)&out->work); /* succeeds only if it has not begun */
    } else if (out->file.fd >= 0 && !spt_loop_is_lost(out->loop)) {
        start(out, spt_disk_file_close);
    } else {
        spt_disk_file_close(&out->file);
        release(out);
    }
}

static void ask(struct spt_output *out, spt_disk_file_job *job, spt_output_fn *fn, void *ud)
{
    out->file.abandoned = false;
    start(out, job);
    out->on_done = fn;
    out->ud = ud;
}

int spt_output_open(struct spt_output **out, struct spt_loop *loop, const char *path,
                    unsigned flags, spt_output_fn *fn, void *ud)
{
    struct spt_output *o = new_output(loop, path, flags);
    if (!o)
        return SEPTET_ENOMEM;
    ask(o, spt_disk_file_open, fn, ud);
    *out = o;
    return SEPTET_OK;
}

static bool ask_unless_failed(struct spt_output *out, spt_disk_file_job *job, spt_output_fn *fn,
                              void *ud)
{
    if (out->error)
        return false;
    ask(out, job, fn, ud);
    return true;
}

static void fail(struct spt_output *out, const char *doing)
{
    out->file.step = doing;
    note(out, UV_ENOMEM);
}

bool spt_output_write(struct spt_output *out, const char *bytes, size_t n, spt_output_fn *fn,
                      void *ud)
{
    assert(!out->in_pool);
    out->file.buf.len = 0;
    if (spt_buf_append(&out->file.buf, bytes, n) != SEPTET_OK)
        fail(out, "write");
    return ask_unless_failed(out, spt_disk_file_write, fn, ud);
}

bool spt_output_write_buffer(struct spt_output *out, struct spt_buf *bytes, spt_output_fn *fn,
                             void *ud)
{
    assert(!out->in_pool);
    struct spt_buf *own = &out->file.buf, before = *own;
    *own = (struct spt_buf){bytes->data, bytes->len, bytes->cap, own->max};
    *bytes = (struct spt_buf){before.data, 0, before.cap, bytes->max};
    return ask_unless_failed(out, spt_disk_file_write, fn, ud);
}

bool spt_output_keep_digest(struct spt_output *out, const EVP_MD *md, spt_output_fn *fn, void *ud)
{
    assert(!out->in_pool);
    out->file.md = md;
    if (!out->file.digest)
        out->file.digest = EVP_MD_CTX_new();
    if (!out->file.digest)
        fail(out, "read");
    return ask_unless_failed(out, spt_disk_file_begin_digest, fn, ud);
}

bool spt_output_truncate(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    return ask_unless_failed(out, spt_disk_file_truncate, fn, ud);
}

bool spt_output_sync(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    return ask_unless_failed(out, spt_disk_file_sync, fn, ud);
}

bool spt_output_commit(struct spt_output *out, const char *target, spt_output_fn *fn, void *ud)
{
    assert(!out->in_pool && (target || out->file.target));
    if (target) {
        free(out->file.target);
        out->file.target = strdup(target);
    }
    if (!out->file.target)
        fail(out, "rename");
    return ask_unless_failed(out, spt_disk_file_commit, fn, ud);
}

bool spt_output_read(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    return ask_unless_failed(out, spt_disk_file_read, fn, ud);
}

void spt_output_unlink(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    ask(out, spt_disk_file_unlink, fn, ud);
}

void spt_output_close(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    ask(out, spt_disk_file_close, fn, ud);
}

void spt_output_wait(struct spt_output *out, spt_output_fn *fn, void *ud)
{
    out->on_done = fn;
    out->ud = ud;
}

void spt_output_forget(struct spt_output *out)
{
    out->on_done = NULL;
    out->file.abandoned = true;
}

size_t spt_output_digest(const struct spt_output *out, unsigned char md[EVP_MAX_MD_SIZE])
{
    unsigned len = 0;
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    assert(!out->in_pool && out->file.digest);
    if (copy && EVP_MD_CTX_copy_ex(copy, out->file.digest))
        EVP_DigestFinal_ex(copy, md, &len);
    EVP_MD_CTX_free(copy);
    return len;
}
