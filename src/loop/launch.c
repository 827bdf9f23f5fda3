/* SPDX-License-Identifier: MIT */
/* Starts the program by posix_spawn(), which shares the memory of the host with the child until the
 * program runs. fork() would copy the page tables: that takes the longer the more memory the host
 * has, and all its threads then copy each page that they write. */
#include "loop/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define NULL_DEVICE  "/dev/null"
#define TEXTS_MAX    ((size_t)6 * 1024 * 1024) /* bytes that no Linux passes to a program */

extern char **environ;

/* --- the copy --- */

static const char *const no_texts[] = {NULL};

/* The block of a copy: pointers in front, texts behind. Counts what it needs while data is NULL. */
struct block {
    char *data;
    size_t pointers; /* number of pointers */
    size_t bytes;    /* of the texts */
    size_t bytes_at; /* offset of the texts */
};

static const char *put_text(struct block *block, const char *text)
{
    size_t size = text ? strlen(text) + 1 : 0;
    char *at = block->data && text ? block->data + block->bytes_at + block->bytes : NULL;
    if (at)
        memcpy(at, text, size);
    block->bytes += size;
    return at;
}

static void put_pointer(struct block *block, const char *pointer)
{
    if (block->data)
        ((const char **)(void *)block->data)[block->pointers] = pointer;
    block->pointers++;
}

static const char *const *list_at(const struct block *block)
{
    return block->data ? (const char *const *)(void *)block->data + block->pointers : NULL;
}

/* Returns true if the plan sets or removes the variable of an entry "NAME=value". */
static bool is_changed(const struct spt_launch_plan *plan, const char *entry)
{
    size_t len = strcspn(entry, "=");
    for (const char *const *e = plan->env; *e; e++)
        if (strncmp(*e, entry, len) == 0 && ((*e)[len] == '=' || (*e)[len] == '\0'))
            return true;
    return false;
}

static const char *const *put_env(struct block *block, const struct spt_launch_plan *plan)
{
    const char *const *list = list_at(block);
    for (char **e = environ; !plan->clears_env && e && *e; e++)
        if (!is_changed(plan, *e))
            put_pointer(block, put_text(block, *e));
    for (const char *const *e = plan->env; *e; e++)
        if (strchr(*e, '='))
            put_pointer(block, put_text(block, *e));
    put_pointer(block, NULL);
    return list;
}

static const char *const *put_argv(struct block *block, const struct spt_launch_plan *plan)
{
    const char *const *list = list_at(block);
    for (const char *const *a = plan->argv; *a; a++)
        put_pointer(block, put_text(block, *a));
    put_pointer(block, NULL);
    return list;
}

static void put_plan(struct block *block, struct spt_launch *launch,
                     const struct spt_launch_plan *from)
{
    struct spt_launch_plan *plan = &launch->plan;
    plan->argv = put_argv(block, from);
    plan->env = put_env(block, from);
    plan->cwd = put_text(block, from->cwd);
    for (int i = 0; i < 3; i++)
        plan->files[i] = put_text(block, from->files[i]);
    const char *path = getenv("PATH");
    launch->path = put_text(block, path ? path : DEFAULT_PATH);
}

bool spt_launch_init(struct spt_launch *launch, const struct spt_launch_plan *plan)
{
    struct spt_launch_plan from = *plan;
    struct block block = {0};
    if (!from.env)
        from.env = no_texts;
    *launch = (struct spt_launch){.plan = *plan};
    put_plan(&block, launch, &from);
    block.bytes_at = block.pointers * sizeof(char *);
    if (block.bytes_at + block.bytes > TEXTS_MAX) {
        launch->error = E2BIG; /* found without a copy on the loop's thread */
        return true;
    }
    block.data = launch->block = malloc(block.bytes_at + block.bytes);
    if (!block.data) {
        spt_launch_release(launch);
        return false;
    }
    block.pointers = block.bytes = 0;
    put_plan(&block, launch, &from);
    return true;
}

static void close_fds(struct spt_launch *launch)
{
    for (int i = 0; i < 3; i++) {
        if (launch->plan.fds[i] >= 0)
            close(launch->plan.fds[i]);
        launch->plan.fds[i] = SPT_LAUNCH_NULL;
    }
}

void spt_launch_release(struct spt_launch *launch)
{
    close_fds(launch);
    free(launch->block);
    launch->block = NULL;
}

/* --- the program --- */

/* Returns 0 if the file can be run, or the number of the error. */
static int check_program(const char *file)
{
    struct stat st;
    if (stat(file, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return EACCES;
    return faccessat(AT_FDCWD, file, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

/* Writes the path of the program `name` to `file`. Folders in PATH that are not absolute do not
 * count, because they would be those of the script's cwd. Returns 0 or the number of the error. */
static int find_program(const char *name, const char *path, char file[PATH_MAX])
{
    int error = ENOENT;
    if (strlen(name) >= PATH_MAX)
        return ENAMETOOLONG;
    if (name[0] == '\0')
        return ENOENT;
    if (strchr(name, '/')) {
        strcpy(file, name);
        return 0;
    }
    while (*path) {
        int len = (int)strcspn(path, ":");
        int n = snprintf(file, PATH_MAX, "%.*s/%s", len, path, name);
        int rc = path[0] == '/' && n < PATH_MAX ? check_program(file) : ENOENT;
        if (rc == 0)
            return 0;
        if (rc == EACCES)
            error = rc;
        path += len;
        path += *path == ':';
    }
    return error;
}

/* --- the descriptors --- */

/* Opens a file for the child to write. A FIFO that has no reader is an error, because it would
 * block. Returns its descriptor, above 2, or -1. */
static int open_file(const char *file)
{
    int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    int opened = open(file, flags, 0666);
    int fd = opened;
    if (opened >= 0 && opened <= STDERR_FILENO) {
        fd = fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(opened);
    }
    if (fd >= 0)
        fcntl(fd, F_SETFL, O_WRONLY);
    return fd;
}

static int open_files(struct spt_launch *launch)
{
    struct spt_launch_plan *plan = &launch->plan;
    for (int i = 0; i < 3; i++) {
        if (plan->fds[i] != SPT_LAUNCH_FILE)
            continue;
        plan->fds[i] = open_file(plan->files[i]);
        if (plan->fds[i] < 0) {
            launch->blame = plan->files[i];
            return errno;
        }
    }
    return 0;
}

/* Adds what makes the descriptor `i` of the child. All descriptors of the plan are above 2, so none
 * is replaced before it is copied. */
static int add_descriptor(posix_spawn_file_actions_t *actions, const struct spt_launch_plan *plan,
                          int i)
{
    int fd = plan->fds[i];
    if (fd == SPT_LAUNCH_STDOUT)
        fd = STDOUT_FILENO;
    else if (fd == SPT_LAUNCH_INHERIT && fcntl(i, F_GETFD) >= 0)
        fd = i;
    if (fd >= 0)
        return posix_spawn_file_actions_adddup2(actions, fd, i);
    return posix_spawn_file_actions_addopen(actions, i, NULL_DEVICE, O_RDWR, 0);
}

static int add_actions(posix_spawn_file_actions_t *actions, const struct spt_launch_plan *plan)
{
    int rc = 0;
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = add_descriptor(actions, plan, i);
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
    if (rc == 0 && plan->cwd)
        rc = posix_spawn_file_actions_addchdir_np(actions, plan->cwd);
    return rc;
}

/* --- the process --- */

static void set_attributes(posix_spawnattr_t *attributes, const struct spt_launch_plan *plan)
{
    sigset_t none, all;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigemptyset(&none);
    memset(&all, 0xff, sizeof all); /* sigfillset() leaves out two, which would be ignored */
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    if (plan->group)
        flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(attributes, flags);
}

static int spawn(struct spt_launch *launch, const char *file,
                 const posix_spawn_file_actions_t *actions)
{
    const struct spt_launch_plan *plan = &launch->plan;
    posix_spawnattr_t attributes;
    int rc = posix_spawnattr_init(&attributes);
    if (rc != 0)
        return rc;
    set_attributes(&attributes, plan);
    rc = posix_spawn(&launch->pid, file, actions, &attributes, (char *const *)plan->argv,
                     (char *const *)plan->env);
    posix_spawnattr_destroy(&attributes);
    return rc;
}

static int find_and_spawn(struct spt_launch *launch)
{
    char file[PATH_MAX];
    posix_spawn_file_actions_t actions;
    int rc = find_program(launch->plan.argv[0], launch->path, file);
    if (rc == 0)
        rc = open_files(launch);
    if (rc == 0)
        rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = add_actions(&actions, &launch->plan);
    if (rc == 0)
        rc = spawn(launch, file, &actions);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

/* Returns the error of a folder that no program can start in, or 0. */
static int check_folder(const char *folder)
{
    struct stat st;
    if (stat(folder, &st) != 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    return faccessat(AT_FDCWD, folder, X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

void spt_launch_run(struct spt_launch *launch)
{
    launch->pid = 0;
    if (launch->error == 0)
        launch->error = find_and_spawn(launch);
    if (launch->error != 0)
        launch->pid = 0;
    if (launch->error != 0 && launch->plan.cwd && !launch->blame) {
        int of_folder = check_folder(launch->plan.cwd);
        if (of_folder != 0) {
            launch->error = of_folder;
            launch->blame = launch->plan.cwd;
        }
    }
    close_fds(launch);
}
