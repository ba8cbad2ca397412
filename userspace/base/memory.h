/* SPDX-License-Identifier: MIT */
/* What the process has in memory and does not need now. */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

/*
 * Lets go of the code of the program and its libraries.  It stays in the kernel's cache, from where
 * a page comes back that is needed: for behind work that looked into what is seldom used.
 */
void memory_let_go_of_code(void);

#endif
