/* What the name of a file that is to be written stands for. Plain system calls, for the thread
 * pool. */
#ifndef SPT_LOOP_TARGET_H
#define SPT_LOOP_TARGET_H

#include <sys/stat.h>

/* Follows the links at `path` to a regular file, or to a name that nothing has yet, and stores that
 * name, to be freed, in `target`. Returns 0 or libuv's number of an error: UV_EISDIR for a folder,
 * UV_EINVAL for anything else that is no regular file, UV_ELOOP. */
int spt_target_resolve(const char *path, char **target);

/* Returns 0 if a file that is renamed to `target` may take its place: there is a regular file, a
 * link, or nothing. Else returns as spt_target_resolve does. */
int spt_target_judge(const char *target);

/* Returns the permissions that a new file at `target` gets: those of the file that is there, or
 * else what the umask leaves of 0666. */
mode_t spt_target_mode(const char *target);

/* Returns 0 if a file is one that nobody else can have prepared: it has one name, and the process's
 * own owner. Else returns UV_EMLINK or UV_EPERM. */
int spt_target_is_own(const struct stat *st);

#endif
