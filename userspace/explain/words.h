/* SPDX-License-Identifier: MIT */
/* What is said of facts that were gathered: the verdicts' rows (verdicts.h), and what depends on
 * more than the verdict.  Nothing here reads anything. */
#ifndef EXPLAIN_WORDS_H
#define EXPLAIN_WORDS_H

#include "explain/explain.h"

/* The flags of a verdict's row. */
enum verdict_flag {
	IS_FREE = 1 << 0,	 /* nobody is in the way here */
	SAYS_STATE = 1 << 1,	 /* the sentence says what its holder is at */
	COMES_BACK = 1 << 2,	 /* who starts the holder again is said behind the sentence */
	BY_PROGRAM = 1 << 3,	 /* a program of a cgroup did it: its cgroup is looked for */
	NEEDS_TRACER = 1 << 4,	 /* remedies name the holder's debugger */
	NEEDS_RESERVED = 1 << 5, /* … the ports that are kept from being given away */
	NEEDS_PROGRAM = 1 << 6,	 /* … the program that was refused */
};
bool why_verdict_has(enum why_verdict v, unsigned flag);

/* Fill f->rule and f->summary. */
void why_write_rule(struct why_facts *f);
void why_summarize(struct why_facts *f);

/* The program passed an address that nobody can read (EFAULT): that concerns no port. */
bool why_is_program_fault(const struct why_facts *f);

/* Fills missing, lift and missing_command: what stays out of reach of this daemon. */
void why_say_missing(const struct sentinel_report *report, struct why_facts *f);

#endif
