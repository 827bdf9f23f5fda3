/* SPDX-License-Identifier: MIT */
/* Stubs for the functions of libraries that are loaded before they are first used. A stub has the
 * function's name and jumps to where its slot points, so that its callers are compiled as
 * ever, and with any number of arguments. It costs what a call of a shared library costs.
 *
 * A script that uses none of the libraries starts with 2 M instructions instead of 19 M, as most of
 * them are the loader's, for 39 libraries. base/library.c fills in the slots.
 *
 * The build defines SPT_SONAME_name for each library that it found as a shared one, and
 * SPT_LAZY_OWN_PROCESS for a program that nobody else's code runs in. */
#include <stdio.h>
#include <stdlib.h>
#ifdef SPT_LAZY_OWN_PROCESS
#include <sqlite3.h>
#endif

#include "base/library.h"
#include "lazy/names.h"

/* ENTRY marks where a pointer may lead to (-fcf-protection). A CALL is only called, where the mark
 * would be a third of what the stub costs. */
#if defined(__x86_64__)
#ifdef __CET__
#define ENTRY "endbr64\n"
#else
#define ENTRY ""
#endif
#define JUMP(slot)  "jmp *" slot "(%rip)\n"
#define SLOTS_ALIGN "4096"
#elif defined(__aarch64__)
#define ENTRY "hint #34\n" /* bti c */
#define JUMP(slot)                                                                                 \
    "adrp x16, " slot "\n"                                                                         \
    "ldr x16, [x16, #:lo12:" slot "]\n"                                                            \
    "br x16\n"
#define SLOTS_ALIGN "65536"
#else
#error "build with -DSEPTET_LAZY_COMMAND=OFF -DSEPTET_LAZY_LIBRARY=OFF on this processor"
#endif

/* The loader makes sections of this name read-only before the program begins. */
#define SLOTS ".pushsection .data.rel.ro.septet_lazy, \"aw\", %progbits\n"
#define NAMES ".pushsection .rodata.septet_lazy, \"a\", %progbits\n"
#define CODE  ".pushsection .text.septet_lazy, \"ax\", %progbits\n"
#define END   ".popsection\n"

#define LABEL(name) ".globl " name "\n.hidden " name "\n" name ":\n"
#define SLOT(name)  "spt_lazy_slot_" name
#define STUB(name, entry, to)                                                                      \
    SLOTS SLOT(name) ": .quad " to "\n" END NAMES ".asciz \"" name "\"\n" END CODE                 \
                     ".p2align 4\n.type " name                                                     \
                     ", %function\n" LABEL(name) ".cfi_startproc\n" entry                          \
                     JUMP(SLOT(name)) ".cfi_endproc\n.size " name ", . - " name "\n" END
#define CALL(name) STUB(#name, "", "spt_lazy_missing")
#define FREE(name) STUB(#name, ENTRY, "spt_lazy_nothing")

#define STUBS(name)                                                                                \
    __asm__(SLOTS LABEL("spt_lazy_slots_" #name) END NAMES LABEL("spt_lazy_names_" #name)          \
                END SPT_LAZY_##name(CALL, FREE) NAMES ".byte 0\n" END);                            \
    extern void *spt_lazy_slots_##name[] __attribute__((visibility("hidden")));                    \
    extern const char spt_lazy_names_##name[] __attribute__((visibility("hidden")));

/* What packagers and other tools read of a library that is loaded later:
 * https://uapi-group.org/specifications/specs/elf_dlopen_metadata */
#define NOTE(name, soname)                                                                         \
    static const struct {                                                                          \
        unsigned owner_size, size, type;                                                           \
        char owner[4];                                                                             \
        _Alignas(4) char text[sizeof NOTE_TEXT(name, soname)];                                     \
    } note_##name __attribute__((used, section(".note.dlopen"), aligned(4))) = {                   \
        4, sizeof NOTE_TEXT(name, soname), 0x407c0c0a, "FDO", NOTE_TEXT(name, soname)};
#define NOTE_TEXT(name, soname)                                                                    \
    "[{\"feature\":\"" #name "\",\"priority\":\"required\",\"soname\":[\"" soname "\"]}]"

void spt_lazy_missing(void);
void spt_lazy_nothing(void);

/* A call that no load came before is an error in this program. */
__attribute__((used, visibility("hidden"))) void spt_lazy_missing(void)
{
    fputs("septet: a function was called before its library was loaded\n", stderr);
    abort();
}

__attribute__((used, visibility("hidden"))) void spt_lazy_nothing(void)
{
}

__asm__(SLOTS ".balign " SLOTS_ALIGN "\n" LABEL("spt_lazy_slots") END);
extern void *spt_lazy_slots[] __attribute__((visibility("hidden")));

#ifdef SPT_SONAME_curl
STUBS(curl)
NOTE(curl, SPT_SONAME_curl)
#define LIBRARY_curl                                                                               \
    {                                                                                              \
        SPT_SONAME_curl, spt_lazy_names_curl, spt_lazy_slots_curl                                  \
    }
#else
#define LIBRARY_curl                                                                               \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_cares
STUBS(cares)
NOTE(cares, SPT_SONAME_cares)
#define LIBRARY_cares                                                                              \
    {                                                                                              \
        SPT_SONAME_cares, spt_lazy_names_cares, spt_lazy_slots_cares                               \
    }
#else
#define LIBRARY_cares                                                                              \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_idn2
STUBS(idn2)
NOTE(idn2, SPT_SONAME_idn2)
#define LIBRARY_idn2                                                                               \
    {                                                                                              \
        SPT_SONAME_idn2, spt_lazy_names_idn2, spt_lazy_slots_idn2                                  \
    }
#else
#define LIBRARY_idn2                                                                               \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_z
STUBS(z)
NOTE(z, SPT_SONAME_z)
#define LIBRARY_z                                                                                  \
    {                                                                                              \
        SPT_SONAME_z, spt_lazy_names_z, spt_lazy_slots_z                                           \
    }
#else
#define LIBRARY_z                                                                                  \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_brotlidec
STUBS(brotlidec)
NOTE(brotlidec, SPT_SONAME_brotlidec)
#define LIBRARY_brotlidec                                                                          \
    {                                                                                              \
        SPT_SONAME_brotlidec, spt_lazy_names_brotlidec, spt_lazy_slots_brotlidec                   \
    }
#else
#define LIBRARY_brotlidec                                                                          \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_zstd
STUBS(zstd)
NOTE(zstd, SPT_SONAME_zstd)
#define LIBRARY_zstd                                                                               \
    {                                                                                              \
        SPT_SONAME_zstd, spt_lazy_names_zstd, spt_lazy_slots_zstd                                  \
    }
#else
#define LIBRARY_zstd                                                                               \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_jansson
STUBS(jansson)
NOTE(jansson, SPT_SONAME_jansson)
#define LIBRARY_jansson                                                                            \
    {                                                                                              \
        SPT_SONAME_jansson, spt_lazy_names_jansson, spt_lazy_slots_jansson                         \
    }
#else
#define LIBRARY_jansson                                                                            \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_crypto
STUBS(crypto)
NOTE(crypto, SPT_SONAME_crypto)
#define LIBRARY_crypto                                                                             \
    {                                                                                              \
        SPT_SONAME_crypto, spt_lazy_names_crypto, spt_lazy_slots_crypto                            \
    }
#else
#define LIBRARY_crypto                                                                             \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_ssl
STUBS(ssl)
NOTE(ssl, SPT_SONAME_ssl)
#define LIBRARY_ssl                                                                                \
    {                                                                                              \
        SPT_SONAME_ssl, spt_lazy_names_ssl, spt_lazy_slots_ssl                                     \
    }
#else
#define LIBRARY_ssl                                                                                \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_gumbo
STUBS(gumbo)
NOTE(gumbo, SPT_SONAME_gumbo)
#define LIBRARY_gumbo                                                                              \
    {                                                                                              \
        SPT_SONAME_gumbo, spt_lazy_names_gumbo, spt_lazy_slots_gumbo                               \
    }
#else
#define LIBRARY_gumbo                                                                              \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_hiredis
STUBS(hiredis)
NOTE(hiredis, SPT_SONAME_hiredis)
#define LIBRARY_hiredis                                                                            \
    {                                                                                              \
        SPT_SONAME_hiredis, spt_lazy_names_hiredis, spt_lazy_slots_hiredis                         \
    }
#else
#define LIBRARY_hiredis                                                                            \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif
#ifdef SPT_SONAME_sqlite3
STUBS(sqlite3)
NOTE(sqlite3, SPT_SONAME_sqlite3)
#define LIBRARY_sqlite3                                                                            \
    {                                                                                              \
        SPT_SONAME_sqlite3, spt_lazy_names_sqlite3, spt_lazy_slots_sqlite3                         \
    }
#else
#define LIBRARY_sqlite3                                                                            \
    {                                                                                              \
        NULL, NULL, NULL                                                                           \
    }
#endif

__asm__(SLOTS ".balign " SLOTS_ALIGN "\n" LABEL("spt_lazy_slots_end") END);
extern void *spt_lazy_slots_end[] __attribute__((visibility("hidden")));

static const struct spt_lazy_library libraries[] = {
#define XX(name, lower) LIBRARY_##lower,
    SPT_LIBRARY_MAP(XX)
#undef XX
};

/* SQLite counts its memory under a lock, at each allocation: a ninth of its instructions. Nobody
 * else in this process asks for the count. */
static void loaded(enum spt_library which)
{
#if defined(SPT_LAZY_OWN_PROCESS) && defined(SPT_SONAME_sqlite3)
    if (which == SPT_LIBRARY_SQLITE3)
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
#endif
}

extern const struct spt_lazy spt_lazy __attribute__((visibility("hidden")));
const struct spt_lazy spt_lazy = {libraries, spt_lazy_slots, spt_lazy_slots_end, loaded};
