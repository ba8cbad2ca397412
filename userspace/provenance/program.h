/* SPDX-License-Identifier: MIT */
/* What an interpreter really runs: "node" is no name for a server, "vite" is. */
#ifndef PROVENANCE_PROGRAM_H
#define PROVENANCE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/process.h"

#define PROGRAM_RUNS_SIZE 48

/*
 * Of these arguments, program first: "vite", "next dev", "npm run dev", "manage.py runserver",
 * "server.js", "http.server" of `python3 -m http.server`.  False, and "", where the program is no
 * interpreter, or runs what stands in its arguments or what it is fed.  Pure.
 */
bool program_name(const char *const *words, size_t n, char ret[PROGRAM_RUNS_SIZE]);

/* The same of a process; false also when it is gone. */
bool program_runs(const struct process_id *id, char ret[PROGRAM_RUNS_SIZE]);

#endif
