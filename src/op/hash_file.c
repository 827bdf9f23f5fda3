/* SPDX-License-Identifier: MIT */
/* hash_file: computes the digest of a file in the thread pool. */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "core/check.h"
#include "core/error.h"
#include "op/env.h"
#include "op/gate.h"
#include "op/io_error.h"
#include "op/job.h"
#include "op/library.h"
#include "op/openers.h"

enum { CHUNK = 256 * 1024 }; /* bytes */

struct hash_job {
    struct spt_job job;
    EVP_MD *md; /* owned */
    char *path; /* owned */
    const char *step;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len;
};

/* Adds the bytes of an open file. Returns 0 or libuv's error number. */
static int add_all(struct hash_job *hash, EVP_MD_CTX *ctx, char *buf, int fd)
{
    for (;;) {
        ssize_t n = read(fd, buf, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return uv_translate_sys_error(errno);
        if (n == 0)
            return EVP_DigestFinal_ex(ctx, hash->digest, &hash->len) ? 0 : UV_ENOMEM;
        if (spt_job_is_abandoned(&hash->job))
            return UV_ECANCELED;
        if (!EVP_DigestUpdate(ctx, buf, (size_t)n))
            return UV_ENOMEM;
    }
}

/* Opens the file, which may not be a FIFO: that would keep the thread. Returns a descriptor, or
 * libuv's error number. */
static int open_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return uv_translate_sys_error(errno);
    int error = fstat(fd, &st)         ? uv_translate_sys_error(errno)
                : S_ISDIR(st.st_mode)  ? UV_EISDIR
                : !S_ISREG(st.st_mode) ? UV_EINVAL
                                       : 0;
    if (!error)
        return fd;
    close(fd);
    return error;
}

static void run(struct spt_job *job)
{
    struct hash_job *hash = SPT_OF(job, struct hash_job, job);
    hash->step = "open";
    int fd = open_file(hash->path);
    if (fd < 0) {
        job->error = fd;
        return;
    }
    hash->step = "read";
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    char *buf = malloc(CHUNK);
    job->error = ctx && buf && EVP_DigestInit_ex(ctx, hash->md, NULL) ? add_all(hash, ctx, buf, fd)
                                                                      : UV_ENOMEM;
    free(buf);
    EVP_MD_CTX_free(ctx);
    close(fd);
}

static void release(struct spt_job *job)
{
    struct hash_job *hash = SPT_OF(job, struct hash_job, job);
    EVP_MD_free(hash->md);
    free(hash->path);
    free(hash);
}

static void describe(const struct spt_job *job, char *text, size_t size)
{
    snprintf(text, size, "'%s'", SPT_OF(job, const struct hash_job, job)->path);
}

static const struct spt_job_type hash_job_type = {run, release, describe};
static const septet_op_type hash_file_type = SPT_JOB_WAIT_TYPE("hash");

static int push(lua_State *L, struct spt_job *job)
{
    const struct hash_job *hash = SPT_OF(job, struct hash_job, job);
    if (job->error)
        return spt_io_error_raise(L, hash->step, hash->path, job->error,
                                  job->error == UV_EINVAL ? "not a regular file" : NULL);
    lua_pushlstring(L, (const char *)hash->digest, hash->len);
    return 1;
}

static struct spt_job *new_job(EVP_MD *md, const char *path)
{
    struct hash_job *hash = calloc(1, sizeof *hash);
    char *copy = strdup(path);
    if (!hash || !copy) {
        EVP_MD_free(md);
        free(hash);
        free(copy);
        return NULL;
    }
    hash->job.type = &hash_job_type;
    hash->md = md;
    hash->path = copy;
    hash->step = "open";
    return &hash->job;
}

/* hash_file(name, path): waits for the digest of a file and returns its bytes, by OpenSSL's name
 * of the digest. Returns nil if OpenSSL does not offer it. Raises IoError. */
static int l_hash_file(lua_State *L)
{
    struct spt_env *env = spt_env(L);
    size_t len;
    const char *name = spt_check_string(L, 1, NULL), *path = spt_check_string(L, 2, &len);
    if (strlen(path) != len)
        return spt_error_usage(L, "a NUL in the path");
    spt_gate_check(L, env, SEPTET_PERMIT_READ, "open", path);
    struct spt_job_wait *wait = spt_job_wait_new(L, env, &hash_file_type, push);
    spt_library_need(L, SPT_NEEDS_CRYPTO);
    EVP_MD *md = EVP_MD_fetch(NULL, name, NULL);
    if (!md)
        return 0;
    return spt_job_await(L, wait, new_job(md, path));
}

static const luaL_Reg functions[] = {{"hash_file", l_hash_file}, {NULL, NULL}};

void spt_open_hash_file(lua_State *L, struct spt_env *env)
{
    spt_add_functions(L, env, functions);
}
