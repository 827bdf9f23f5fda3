/* SPDX-License-Identifier: MIT */
/* Libraries that are loaded before they are first used, if the program was not linked with them:
 * src/lazy/stubs.c has one stub for each of their functions. In a program that was linked with
 * them they count as loaded. */
#ifndef SPT_BASE_LIBRARY_H
#define SPT_BASE_LIBRARY_H

#include <stdatomic.h>
#include <stdbool.h>

#define SPT_LIBRARY_MAP(XX)                                                                        \
    XX(CURL, curl)                                                                                 \
    XX(CARES, cares)                                                                               \
    XX(IDN2, idn2)                                                                                 \
    XX(Z, z)                                                                                       \
    XX(BROTLIDEC, brotlidec)                                                                       \
    XX(ZSTD, zstd)                                                                                 \
    XX(JANSSON, jansson)                                                                           \
    XX(CRYPTO, crypto)                                                                             \
    XX(SSL, ssl)                                                                                   \
    XX(GUMBO, gumbo)                                                                               \
    XX(HIREDIS, hiredis)                                                                           \
    XX(SQLITE3, sqlite3)

enum spt_library {
#define XX(name, lower) SPT_LIBRARY_##name,
    SPT_LIBRARY_MAP(XX)
#undef XX
        SPT_LIBRARIES
};

/* The libraries of a feature, each as a bit. libcurl needs most of those for HTTP itself, so that
 * they cost no more than their look-up. */
#define SPT_LIBRARY_BIT(name) (1u << SPT_LIBRARY_##name)
enum {
    SPT_NEEDS_CURL = SPT_LIBRARY_BIT(CURL),
    SPT_NEEDS_DNS = SPT_LIBRARY_BIT(CARES),
    SPT_NEEDS_IDN = SPT_LIBRARY_BIT(IDN2),
    SPT_NEEDS_JSON = SPT_LIBRARY_BIT(JANSSON),
    SPT_NEEDS_CRYPTO = SPT_LIBRARY_BIT(CRYPTO),
    SPT_NEEDS_TLS = SPT_LIBRARY_BIT(SSL) | SPT_NEEDS_CRYPTO,
    SPT_NEEDS_HTML = SPT_LIBRARY_BIT(GUMBO),
    SPT_NEEDS_REDIS = SPT_LIBRARY_BIT(HIREDIS),
    SPT_NEEDS_SQLITE = SPT_LIBRARY_BIT(SQLITE3),
    SPT_NEEDS_HTTP = SPT_NEEDS_CURL | SPT_NEEDS_DNS | SPT_NEEDS_IDN | SPT_NEEDS_CRYPTO |
                     SPT_LIBRARY_BIT(Z) | SPT_LIBRARY_BIT(BROTLIDEC) | SPT_LIBRARY_BIT(ZSTD),
};

/* Why a library could not be loaded. */
struct spt_library_failure {
    const char *soname;
    char text[256];
};

/* Returns a function of a loaded library, or of those that it needs itself. NULL if there is
 * none. */
void *spt_library_find(enum spt_library which, const char *name);

/* A library that the program was not linked with; src/lazy/stubs.c has them. */
struct spt_lazy_library {
    const char *soname; /* NULL: the program was linked with it */
    const char *names;  /* its functions, each ended by a NUL, and the last by a further one */
    void **slots;       /* where the stub of each jumps to */
};

struct spt_lazy {
    const struct spt_lazy_library *libraries; /* SPT_LIBRARIES of them */
    void **slots, **end; /* all slots: whole pages, read-only but while a library is loaded */
    void (*loaded)(enum spt_library which); /* called once for each that was loaded */
};

extern atomic_uint spt_libraries_loaded; /* a bit each */

/* Loads what is not loaded yet; it takes milliseconds. Returns false and sets `failure` if one
 * cannot be loaded: a later call tries again. Any thread may call it. */
bool spt_library_load(unsigned needs, struct spt_library_failure *failure);

static inline bool spt_library_is_loaded(unsigned needs)
{
    return (atomic_load_explicit(&spt_libraries_loaded, memory_order_acquire) & needs) == needs;
}

#endif
