/* SPDX-License-Identifier: MIT */
/* A reader of a file or of standard input. Private to io.c and io_open.c. */
#ifndef SPT_OP_IO_H
#define SPT_OP_IO_H

#include <stdbool.h>
#include <stddef.h>

#include "core/scope.h"

#define SPT_READER_META "septet.io.reader"

struct spt_input;

struct spt_reader {
    struct spt_input *input; /* NULL before it is opened and once detached */
    bool owns;               /* owns the input; else it is the host's standard input */
    bool closed;
    size_t max_line;  /* bytes */
    const char *path; /* kept alive by the user value */
    /* in the env's while it has an input: the host closes the rest */
    struct spt_resource resource;
};

/* Closes the reader, and frees the input if it owns it. A closed reader is a no-op. */
void spt_io_detach(struct spt_reader *reader);

#endif
