/* SPDX-License-Identifier: MIT */
/* Recordings of the trace. */
#ifndef SPT_LUA_TRACE_FILE_H
#define SPT_LUA_TRACE_FILE_H

struct spt_trace_readers;

/* Writes what is new to every recording. Runs no Lua. */
void spt_trace_file_write(struct spt_trace_readers *readers);

/* Warns of the recordings that have failed since the last call. */
void spt_trace_file_report(struct spt_trace_readers *readers);

#endif
