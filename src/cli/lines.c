/* SPDX-License-Identifier: MIT */
/* Each pipe has a buffer. Whole lines of a buffer are written in small pieces, so that no write
 * blocks. A line longer than the buffer keeps its output to itself until it ends, or until nothing
 * more of it comes for a while. If the output is slow, the buffers and then the pipes are full, and
 * the writers wait. */
#include "lines.h"

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    ROOM = 65536,    /* bytes of a buffer */
    PAUSE_MS = 1000, /* after which a line longer than that is broken for others */
    SINKS = 2,
};

/* Where lines go. */
struct sink {
    int fd;
    struct source *owner; /* of a line that has begun and goes on; or NULL */
    bool in_line;         /* the last byte written was no newline */
    bool is_file;         /* writes of any size do not block */
    int error;            /* by which the output was lost; what comes then is dropped */
    size_t turn;          /* the source to be asked first */
    int64_t stalled_ms;   /* since when the owner keeps others waiting; 0: it does not */
};

/* Where lines come from. bytes[from] to bytes[n - 1] wait to be written. */
struct source {
    int fd; /* owned; -1: at its end */
    struct sink *sink;
    size_t from, n;
    size_t whole; /* end of the last whole line */
    char bytes[ROOM];
};

struct lines {
    struct sink sinks[SINKS]; /* the second one is unused if both outputs are one file */
    size_t count;             /* sources; those of the caller's own lines are first */
    bool ending;
    struct source sources[];
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- reading --- */

static bool has_room(const struct source *source)
{
    return source->fd >= 0 && source->n - source->from < ROOM;
}

static void end_source(struct source *source)
{
    if (source->fd >= 0)
        close(source->fd);
    source->fd = -1;
}

static void added(struct source *source, size_t n)
{
    const char *newline = memrchr(source->bytes + source->n, '\n', n);
    if (newline)
        source->whole = (size_t)(newline - source->bytes) + 1;
    source->n += n;
    if (source->sink->error)
        source->from = source->n;
}

static void make_room(struct source *source)
{
    if (source->from == 0)
        return;
    size_t left = source->n - source->from;
    memmove(source->bytes, source->bytes + source->from, left);
    source->whole = source->whole > source->from ? source->whole - source->from : 0;
    source->from = 0;
    source->n = left;
}

static void read_source(struct source *source, bool ending)
{
    make_room(source);
    ssize_t n = read(source->fd, source->bytes + source->n, ROOM - source->n);
    if (n > 0)
        added(source, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR) || ending)
        end_source(source);
}

/* --- writing --- */

/* Returns the number of bytes of a source that may be written if its output has no owner. Of an
 * owner, the beginning of the next line waits for its end as that of any other source. */
static size_t writable(const struct source *source)
{
    size_t waiting = source->n - source->from;
    bool owns = source->sink->owner == source;
    if (source->whole > source->from)
        return source->whole - source->from;
    return owns || waiting == ROOM || source->fd < 0 ? waiting : 0;
}

/* Returns the number of bytes of a source that may be written now. */
static size_t ready(const struct source *source)
{
    const struct source *owner = source->sink->owner;
    return owner == NULL || owner == source ? writable(source) : 0;
}

/* Returns the source that is written next, or NULL. */
static struct source *next_source(struct lines *lines, const struct sink *sink)
{
    for (size_t i = 0; i < lines->count; i++) {
        struct source *source = &lines->sources[(sink->turn + i) % lines->count];
        if (source->sink == sink && ready(source) > 0)
            return source;
    }
    return NULL;
}

/* Returns how much is written at once: up to the end of a line, if one ends in the piece. */
static size_t piece(const struct sink *sink, const char *bytes, size_t n)
{
    if (sink->is_file || n <= PIPE_BUF)
        return n;
    const char *newline = memrchr(bytes, '\n', PIPE_BUF);
    return newline ? (size_t)(newline - bytes) + 1 : PIPE_BUF;
}

/* Gives up an output that cannot be written. */
static void lose(struct lines *lines, struct sink *sink, int error)
{
    sink->error = error;
    sink->owner = NULL;
    for (size_t i = 0; i < lines->count; i++) {
        struct source *source = &lines->sources[i];
        if (source->sink != sink)
            continue;
        source->from = source->n;
        if (error == EPIPE)
            end_source(source);
    }
}

/* Writes to the output. Returns the number of bytes, or 0 if there were none. */
static size_t put(struct lines *lines, struct sink *sink, const char *bytes, size_t n)
{
    ssize_t written = write(sink->fd, bytes, n);
    if (written > 0)
        sink->in_line = bytes[written - 1] != '\n';
    else if (written < 0 && errno != EAGAIN && errno != EINTR)
        lose(lines, sink, errno);
    return written > 0 ? (size_t)written : 0;
}

static void write_sink(struct lines *lines, struct sink *sink)
{
    struct source *source = next_source(lines, sink);
    if (!source || (sink->in_line && !sink->owner && put(lines, sink, "\n", 1) == 0))
        return;
    const char *bytes = source->bytes + source->from;
    size_t n = put(lines, sink, bytes, piece(sink, bytes, ready(source)));
    if (n == 0)
        return;
    source->from += n;
    bool goes_on = source->fd >= 0 || source->from < source->n;
    sink->owner = sink->in_line && goes_on ? source : NULL;
    sink->turn = (size_t)(source - lines->sources) + 1;
    sink->stalled_ms = 0;
}

/* --- the owner of an output --- */

static bool is_awaited(const struct lines *lines, const struct sink *sink)
{
    for (size_t i = 0; i < lines->count; i++) {
        const struct source *source = &lines->sources[i];
        if (source->sink == sink && source != sink->owner && writable(source) > 0)
            return true;
    }
    return false;
}

/* Frees the output from an owner that has ended, or has written nothing for a while. Returns the
 * milliseconds that are left of the while, or -1. */
static int watch_owner(const struct lines *lines, struct sink *sink)
{
    const struct source *owner = sink->owner;
    if (!owner || owner->n > owner->from)
        return -1;
    if (owner->fd < 0)
        sink->owner = NULL;
    if (owner->fd < 0 || !is_awaited(lines, sink))
        return -1;
    int64_t now = now_ms();
    if (sink->stalled_ms == 0)
        sink->stalled_ms = now;
    int64_t left = sink->stalled_ms + PAUSE_MS - now;
    if (left > 0)
        return (int)left;
    sink->owner = NULL;
    sink->stalled_ms = 0;
    return -1;
}

/* --- the interface --- */

static void init_sink(struct sink *sink, int fd)
{
    struct stat file;
    sink->fd = fd;
    sink->is_file = fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
}

static bool are_one_file(int a, int b)
{
    struct stat first, second;
    return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

struct lines *lines_new(size_t count)
{
    struct lines *lines = calloc(1, sizeof *lines + (count + 1) * sizeof *lines->sources);
    if (!lines)
        return NULL;
    init_sink(&lines->sinks[0], STDOUT_FILENO);
    init_sink(&lines->sinks[1], STDERR_FILENO);
    lines_add(lines, -1, STDERR_FILENO);
    return lines;
}

void lines_free(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        end_source(&lines->sources[i]);
    free(lines);
}

void lines_add(struct lines *lines, int fd, int target)
{
    struct source *source = &lines->sources[lines->count++];
    bool first = target == STDOUT_FILENO || are_one_file(STDOUT_FILENO, STDERR_FILENO);
    source->fd = fd;
    source->sink = &lines->sinks[first ? 0 : 1];
}

void lines_say(struct lines *lines, const char *text)
{
    struct source *own = &lines->sources[0];
    size_t n = strlen(text);
    make_room(own);
    if (n > ROOM - own->n)
        return;
    memcpy(own->bytes + own->n, text, n);
    added(own, n);
}

size_t lines_count(const struct lines *lines)
{
    return SINKS + lines->count;
}

int lines_prepare(struct lines *lines, struct pollfd *polled)
{
    int wait = -1;
    for (size_t i = 0; i < SINKS; i++) {
        struct sink *sink = &lines->sinks[i];
        int left = watch_owner(lines, sink);
        if (left >= 0 && (wait < 0 || left < wait))
            wait = left;
        bool writes = next_source(lines, sink) != NULL;
        *polled++ = (struct pollfd){.fd = writes ? sink->fd : -1, .events = POLLOUT};
    }
    for (size_t i = 0; i < lines->count; i++) {
        const struct source *source = &lines->sources[i];
        *polled++ = (struct pollfd){.fd = has_room(source) ? source->fd : -1, .events = POLLIN};
        if (lines->ending && has_room(source))
            wait = 0;
    }
    return wait;
}

void lines_pass(struct lines *lines, const struct pollfd *polled)
{
    for (size_t i = 0; i < SINKS; i++)
        if (polled[i].revents)
            write_sink(lines, &lines->sinks[i]);
    for (size_t i = 0; i < lines->count; i++) {
        struct source *source = &lines->sources[i];
        if (has_room(source) && (polled[SINKS + i].revents || lines->ending))
            read_source(source, lines->ending);
    }
}

void lines_end(struct lines *lines)
{
    lines->ending = true;
}

bool lines_are_done(const struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        if (lines->sources[i].fd >= 0 || lines->sources[i].from < lines->sources[i].n)
            return false;
    return true;
}

int lines_lost(const struct lines *lines)
{
    return lines->sinks[0].error;
}
