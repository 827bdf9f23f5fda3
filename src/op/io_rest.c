/* SPDX-License-Identifier: MIT */
/* io_rest: finds out in the thread pool how many bytes a reader of a regular file has left. */
#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "loop/input.h"
#include "op/env.h"
#include "op/job.h"
#include "op/openers.h"
#include "op/reader.h"

struct rest_job {
    struct spt_job job;
    const struct spt_reader *reader; /* kept alive by the wait; not for `run` */
    int fd;                          /* owned; a duplicate of the reader's; -1: none was left */
    int64_t size;                    /* bytes of the regular file; -1: it is none */
};

static void run(struct spt_job *job)
{
    struct rest_job *rest = SPT_OF(job, struct rest_job, job);
    struct stat st;
    if (fstat(rest->fd, &st) == 0 && S_ISREG(st.st_mode))
        rest->size = (int64_t)st.st_size;
}

static void release(struct spt_job *job)
{
    struct rest_job *rest = SPT_OF(job, struct rest_job, job);
    if (rest->fd >= 0)
        close(rest->fd);
    free(rest);
}

static const struct spt_job_type job_type = {.run = run, .release = release};
static const septet_op_type wait_type = SPT_JOB_WAIT_TYPE("stat");

/* Pushes the number of bytes that the reader has not handed out, or nil if that is not known. */
static int push(lua_State *L, struct spt_job *job)
{
    const struct rest_job *rest = SPT_OF(job, struct rest_job, job);
    struct spt_incoming *in = rest->reader->input;
    const struct spt_input *input = in ? spt_input_of(in) : NULL;
    bool known = rest->size >= 0 && input && spt_input_is_settled(input);
    off_t at = known ? lseek(rest->fd, 0, SEEK_CUR) : -1;
    if (at < 0)
        return 0;
    int64_t left = rest->size > (int64_t)at ? rest->size - (int64_t)at : 0;
    lua_pushinteger(L, (lua_Integer)left + (lua_Integer)spt_incoming_len(in));
    return 1;
}

static struct spt_job *new_job(const struct spt_reader *reader, int fd)
{
    struct rest_job *rest = calloc(1, sizeof *rest);
    if (!rest)
        return NULL;
    rest->job.type = &job_type;
    rest->size = -1;
    rest->reader = reader;
    rest->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return &rest->job;
}

/* io_rest(reader): waits, and returns the number of bytes up to the end of its regular file.
 * Returns nil for a reader of anything else, and for what is no reader. */
static int l_rest(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    const struct spt_reader *reader = luaL_testudata(L, 1, SPT_READER_META);
    if (!reader)
        return 0;
    if (reader->closed)
        return spt_error_usage(L, "the reader is closed");
    if (!spt_input_of(reader->input))
        return 0;
    lua_settop(L, 1);
    struct spt_job_wait *wait = spt_job_wait_new(L, env, &wait_type, push);
    if (reader->closed) /* by a finalizer */
        return spt_error_usage(L, "the reader is closed");
    return spt_job_await(L, wait, new_job(reader, spt_input_of(reader->input)->source.fd));
}

static const luaL_Reg functions[] = {{"io_rest", l_rest}, {NULL, NULL}};

void spt_open_io_rest(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
