/* SPDX-License-Identifier: MIT */
/* Examines the name of a file to be written. Makes blocking system calls, so it is for the thread
 * pool only. */
#ifndef SPT_LOOP_TARGET_H
#define SPT_LOOP_TARGET_H

#include <sys/stat.h>

/* Follows the links at `path` to a regular file or to a name that does not exist. Stores that name
 * in `target`; the caller frees it. Returns 0 or libuv's error number: UV_EISDIR for a folder,
 * UV_EINVAL for any other file that is not regular, UV_ELOOP for too many links. */
int spt_target_resolve(const char *path, char **target);

/* Returns 0 if a file may be renamed to `target`, which is a regular file, a link or does not
 * exist. Otherwise returns an error like spt_target_resolve(). */
int spt_target_judge(const char *target);

/* Returns the permissions for a new file at `target`: those of the existing file, or 0666 masked by
 * the umask. */
mode_t spt_target_mode(const char *target);

/* Returns 0 if no other user can have prepared the file: it has one name, and the process's own
 * effective owner. Otherwise returns UV_EMLINK or UV_EPERM. */
int spt_target_check_own(const struct stat *st);

#endif
