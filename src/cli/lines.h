/* SPDX-License-Identifier: MIT */
/* Passes what several processes write on to standard output and standard error by whole lines, with
 * bounded memory. It knows pipes, not processes. */
#ifndef SPT_CLI_LINES_H
#define SPT_CLI_LINES_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

struct lines;

/* Returns the lines of at most `count` pipes, or NULL without memory. */
struct lines *lines_new(size_t count);
void lines_free(struct lines *lines);

/* Passes on what comes by the pipe `fd`, which it owns, to STDOUT_FILENO or STDERR_FILENO. */
void lines_add(struct lines *lines, int fd, int target);

/* Prints a line of the caller's own on standard error. It is dropped if there is no room. */
void lines_say(struct lines *lines, const char *text);

/* Returns the number of descriptors to poll. */
size_t lines_count(const struct lines *lines);

/* Fills in what to poll. Returns the milliseconds after which to go on all the same, or -1. */
int lines_prepare(struct lines *lines, struct pollfd *polled);

/* Reads and writes what was found by poll(). */
void lines_pass(struct lines *lines, const struct pollfd *polled);

/* From now on a pipe ends when it is empty, although some process may have its other end. */
void lines_end(struct lines *lines);

/* Returns true if everything has been passed on and all pipes have ended. */
bool lines_are_done(const struct lines *lines);

/* Returns the error number by which standard output was lost, or 0. */
int lines_lost(const struct lines *lines);

#endif
