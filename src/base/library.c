/* SPDX-License-Identifier: MIT */
/* Loads libraries, and fills in the slots of their stubs. */
#include "base/library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Defined where src/lazy/stubs.c is linked. */
extern const struct spt_lazy spt_lazy __attribute__((weak, visibility("hidden")));

atomic_uint spt_libraries_loaded;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *handles[SPT_LIBRARIES]; /* of those that were loaded here, for good */

static bool fail(struct spt_library_failure *failure, const char *soname)
{
    const char *why = dlerror();
    failure->soname = soname;
    snprintf(failure->text, sizeof failure->text, "%s", why ? why : "unknown error");
    return false;
}

/* Makes the pages of the slots writable or, as the linker left them, read-only. */
static bool protect(int protection)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = (uintptr_t)spt_lazy.slots, end = (uintptr_t)spt_lazy.end;
    /* Larger pages than the slots were aligned to have other things on them. */
    if (!(protection & PROT_WRITE) && (begin % page || end % page))
        return true;
    begin -= begin % page;
    end += page - 1 - (end + page - 1) % page;
    return mprotect((void *)begin, end - begin, protection) == 0;
}

/* Looks all functions up, and fills in the slots unless they are NULL. */
static bool find(const struct spt_lazy_library *lib, void *handle, void **slots)
{
    size_t at = 0;
    for (const char *name = lib->names; *name; name += strlen(name) + 1, at++) {
        void *function = dlsym(handle, name);
        if (!function)
            return false;
        if (slots)
            slots[at] = function;
    }
    return true;
}

static bool load(enum spt_library which, struct spt_library_failure *failure)
{
    const struct spt_lazy_library *lib = &spt_lazy.libraries[which];
    if (!lib->soname)
        return true;
    void *handle = dlopen(lib->soname, RTLD_LAZY | RTLD_LOCAL);
    if (!handle)
        return fail(failure, lib->soname);
    if (!find(lib, handle, NULL))
        return fail(failure, lib->soname);
    if (!protect(PROT_READ | PROT_WRITE)) {
        failure->soname = lib->soname;
        snprintf(failure->text, sizeof failure->text, "not enough memory");
        return false;
    }
    find(lib, handle, lib->slots);
    protect(PROT_READ);
    handles[which] = handle;
    spt_lazy.loaded(which);
    return true;
}

void *spt_library_find(enum spt_library which, const char *name)
{
    return dlsym(handles[which] ? handles[which] : RTLD_DEFAULT, name);
}

bool spt_library_load(unsigned needs, struct spt_library_failure *failure)
{
    bool ok = true;
    if (spt_library_is_loaded(needs))
        return true;
    pthread_mutex_lock(&lock);
    for (unsigned which = 0; ok && which < SPT_LIBRARIES; which++) {
        const unsigned bit = 1u << which;
        if (!(needs & bit) || spt_library_is_loaded(bit))
            continue;
        ok = !&spt_lazy || load((enum spt_library)which, failure);
        if (ok)
            atomic_fetch_or_explicit(&spt_libraries_loaded, bit, memory_order_release);
    }
    pthread_mutex_unlock(&lock);
    return ok;
}
