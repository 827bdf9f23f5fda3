/* SPDX-License-Identifier: MIT */
/* Asks by a signal, and never signals a process that does not run this program: SIGUSR1 ends most
 * others. A pidfd refers to the process all the while, whichever process has its number later. */
#include "ps.h"

#include <septet/septet.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "options.h"
#include "question.h"

enum {
    PATIENCE_MS = 2000, /* without a byte of the answer */
    HEADERS_MAX = 128,  /* program headers that are read */
    NOTES_MAX = 65536,  /* bytes of a segment of notes that are read */
};

/* Marks this program's file: a Septet that answers. */
static const struct {
    ElfW(Nhdr) header;
    char owner[(sizeof QUESTION_OWNER + 3) / 4 * 4];
    uint32_t version;
} note __attribute__((section(QUESTION_NOTE), used, aligned(4))) = {
    .header = {.n_namesz = sizeof QUESTION_OWNER, .n_descsz = 4, .n_type = 1},
    .owner = QUESTION_OWNER,
    .version = QUESTION_VERSION,
};

/* The process to ask. */
struct target {
    pid_t pid;
    int pidfd; /* owned; -1 if there is none */
};

/* Prints what keeps the process from being asked. Returns false. */
static bool fail(const struct target *target, const char *words)
{
    fprintf(stderr, "septet: process %d %s\n", (int)target->pid, words);
    return false;
}

/* Likewise, with the system's words for the error. */
static bool fail_with_errno(const struct target *target, const char *words)
{
    fprintf(stderr, "septet: process %d %s: %s\n", (int)target->pid, words, strerror(errno));
    return false;
}

/* --- the program's file --- */

/* Returns true if the note of this program is among those in `size` bytes. */
static bool has_note(const char *bytes, size_t size, size_t align)
{
    size_t at = 0;
    while (size - at >= sizeof note.header) {
        ElfW(Nhdr) header;
        memcpy(&header, bytes + at, sizeof header);
        at += sizeof header;
        size_t name = ((size_t)header.n_namesz + align - 1) / align * align;
        size_t desc = ((size_t)header.n_descsz + align - 1) / align * align;
        if (name > size - at || header.n_descsz > size - at - name)
            return false;
        if (memcmp(&header, &note.header, sizeof header) == 0 &&
            memcmp(bytes + at, note.owner, header.n_namesz) == 0 &&
            memcmp(bytes + at + name, &note.version, sizeof note.version) == 0)
            return true;
        if (desc > size - at - name)
            return false;
        at += name + desc;
    }
    return false;
}

/* Returns true if the segment of notes has that of this program. */
static bool segment_has_note(int fd, const ElfW(Phdr) * segment)
{
    size_t size = segment->p_filesz;
    if (segment->p_type != PT_NOTE || size == 0 || size > NOTES_MAX)
        return false;
    char *bytes = malloc(size);
    bool found = bytes != NULL &&
                 pread(fd, bytes, size, (off_t)segment->p_offset) == (ssize_t)size &&
                 (has_note(bytes, size, 4) || has_note(bytes, size, 8));
    free(bytes);
    return found;
}

/* Returns true if the file is an ELF program with the note. */
static bool file_has_note(int fd)
{
    ElfW(Ehdr) header;
    ElfW(Phdr) segment;
    bool found = false;
    if (pread(fd, &header, sizeof header, 0) != sizeof header ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32) ||
        header.e_phentsize != sizeof segment || header.e_phnum > HEADERS_MAX)
        return false;
    for (size_t i = 0; i < header.e_phnum && !found; i++)
        found = pread(fd, &segment, sizeof segment, (off_t)(header.e_phoff + i * sizeof segment)) ==
                    sizeof segment &&
                segment_has_note(fd, &segment);
    return found;
}

/* --- the process --- */

/* Opens a file of the process under /proc. */
static int open_of(const struct target *target, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)target->pid, name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static bool open_pidfd(struct target *target)
{
    if (target->pid == getpid())
        return fail(target, "is this one, which runs no script");
    target->pidfd = (int)syscall(SYS_pidfd_open, target->pid, 0);
    if (target->pidfd >= 0)
        return true;
    if (errno == ESRCH)
        return fail(target, "does not exist");
    if (errno == EINVAL || errno == ENOENT) /* a thread's number */
        return fail(target, "is none: it is a thread");
    return fail_with_errno(target, "cannot be opened");
}

/* Returns the text after a name; "" if there is none. */
static const char *field(const char *status, const char *name)
{
    const char *at = strstr(status, name);
    return at ? at + strlen(name) : "";
}

/* Reads /proc/PID/status. Returns "" if the process has ended. */
static void read_status(const struct target *target, char *status, size_t size)
{
    int fd = open_of(target, "status");
    ssize_t n = fd < 0 ? -1 : read(fd, status, size - 1);
    status[n < 0 ? 0 : n] = '\0';
    if (fd >= 0)
        close(fd);
}

static bool check_status(const struct target *target)
{
    char status[8192];
    read_status(target, status, sizeof status);
    char state = *field(status, "\nState:\t");
    if (*status == '\0' || state == 'Z' || state == 'X')
        return fail(target, "has ended");
    if (strtol(field(status, "\nTgid:\t"), NULL, 10) != target->pid)
        return fail(target, "is none: it is a thread");
    if (strtoul(field(status, "\nUid:\t"), NULL, 10) != getuid())
        return fail(target, "belongs to another user");
    if (state == 'T' || state == 't')
        return fail(target, "is stopped: continue it first, by kill -CONT");
    return true;
}

/* Checks that SIGUSR1 would not end it. */
static bool check_caught(const struct target *target)
{
    char status[8192];
    read_status(target, status, sizeof status);
    if (strtoull(field(status, "\nSigCgt:\t"), NULL, 16) >> (SIGUSR1 - 1) & 1)
        return true;
    return fail(target, "does not answer now: it starts or ends, or SIGUSR1 is ignored");
}

/* Checks that it sees the same processes by the same numbers. */
static bool check_namespace(const struct target *target)
{
    char path[64];
    struct stat its, own;
    snprintf(path, sizeof path, "/proc/%d/ns/pid", (int)target->pid);
    if (stat(path, &its) == 0 && stat("/proc/self/ns/pid", &own) == 0 && its.st_ino != own.st_ino)
        return fail(target, "is in another PID namespace: ask there");
    return true;
}

static bool check_program(const struct target *target)
{
    int fd = open_of(target, "exe");
    if (fd < 0)
        return fail_with_errno(target, "cannot be looked at");
    bool found = file_has_note(fd);
    close(fd);
    return found || fail(target, "is no Septet");
}

/* --- asking --- */

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool send_question(const struct target *target, int pipe, int form)
{
    struct stat file;
    if (pipe >= QUESTION_FDS || fstat(pipe, &file) != 0)
        return fail(target, "cannot be asked: too many open files");
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = (int)question_pack((struct question){
        .fd = pipe, .form = form, .pipe = (unsigned)file.st_ino & QUESTION_PIPES});
    if (syscall(SYS_pidfd_send_signal, target->pidfd, SIGUSR1, &info, 0) == 0)
        return true;
    if (errno == ESRCH)
        return fail(target, "has ended");
    return fail_with_errno(target, "cannot be asked");
}

/* Reads more of the answer. Returns its length; 0 at its end, -1 if none comes in time. */
static ssize_t read_some(int fd, char *bytes, size_t size, uint64_t until_ms)
{
    for (;;) {
        uint64_t now = now_ms();
        struct pollfd in = {.fd = fd, .events = POLLIN};
        int ready = now < until_ms ? poll(&in, 1, (int)(until_ms - now)) : 0;
        if (ready == 0)
            return -1;
        ssize_t n = ready > 0 ? read(fd, bytes, size) : -1;
        if (n >= 0 || errno != EINTR)
            return n;
    }
}

/* Prints the answer, which begins with its kind and ends with a NUL. */
static bool print_answer(const struct target *target, int pipe[2])
{
    char bytes[65536], kind = '\0';
    FILE *out = stdout;
    for (bool ended = false; !ended;) {
        ssize_t n = read_some(pipe[0], bytes, sizeof bytes, now_ms() + PATIENCE_MS), from = 0;
        if (n < 0 && kind == '\0')
            return fail(target, "does not answer: C code blocks it");
        if (n <= 0)
            return fail(target, "has not sent all of its answer");
        if (kind == '\0') {
            close(pipe[1]); /* the other process has it, and its end is the end of the answer */
            pipe[1] = -1;
            kind = bytes[0];
            from = 1;
            out = kind == QUESTION_TEXT ? stdout : stderr;
            if (kind != QUESTION_TEXT)
                fprintf(out, "septet: process %d does not answer: ", (int)target->pid);
        }
        ended = bytes[n - 1] == '\0';
        fwrite(bytes + from, 1, (size_t)(n - from - ended), out);
    }
    if (kind != QUESTION_TEXT)
        fprintf(out, "\n");
    return kind == QUESTION_TEXT;
}

static bool ask(const struct target *target, int form)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return fail_with_errno(target, "cannot be asked");
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20); /* so that the other process seldom waits */
    bool answered = send_question(target, ends[1], form) && print_answer(target, ends);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
    return answered;
}

/* --- the command --- */

/* Says what is wrong with the words, as the commands in Lua do. */
static int usage(const char *problem, const char *word)
{
    fprintf(stderr, "septet: %s", problem);
    if (word != NULL)
        fprintf(stderr, " '%s'", word);
    fputs("\nusage: septet ps [--json] [-a] PID\ntry 'septet ps --help'\n", stderr);
    return EXIT_USAGE;
}

/* Ends the output. Returns `status`, or EXIT_SCRIPT if some of the output is lost. */
static int end_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "septet: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_SCRIPT;
}

/* Returns the number of a process; 0 if the text is none. */
static pid_t parse_pid(const char *text)
{
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    bool digits = *text >= '0' && *text <= '9' && *end == '\0';
    return digits && errno == 0 && pid > 0 && pid <= INT_MAX ? (pid_t)pid : 0;
}

bool ps_is_meant(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "ps") != 0)
        return false;
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return false;
    return true;
}

int ps_run(int argc, char **argv)
{
    struct target target = {.pidfd = -1};
    int form = SEPTET_DUMP_TREE;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            form = SEPTET_DUMP_JSON;
        else if (strcmp(argv[i], "-a") == 0)
            form = form == SEPTET_DUMP_JSON ? form : SEPTET_DUMP_ALL;
        else if (argv[i][0] == '-')
            return usage("unrecognized option", argv[i]);
        else if (target.pid != 0)
            return usage("one process at a time, not", argv[i]);
        else if ((target.pid = parse_pid(argv[i])) == 0)
            return usage("a process id is expected, got", argv[i]);
    }
    if (target.pid == 0)
        return usage("the process id is missing", NULL);
    bool answered = open_pidfd(&target) && check_status(&target) && check_program(&target) &&
                    check_namespace(&target) && check_caught(&target) && ask(&target, form);
    if (target.pidfd >= 0)
        close(target.pidfd);
    return end_output(answered ? EXIT_DONE : EXIT_SCRIPT);
}
