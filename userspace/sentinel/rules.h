/* SPDX-License-Identifier: MIT */
/*
 * What the kernel side is told to do, and not only to tell (bpf/rules.h): the questions of
 * base/kernel_source.h that write rules, and their proof.  Private to the room.
 */
#ifndef SENTINEL_RULES_H
#define SENTINEL_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct process_id;
struct questions;
struct run_rules;

int question_set_run_rules(void *questions, uint32_t run, const struct run_rules *rules);
int question_set_siblings(void *questions, uint64_t project, uint16_t asked, const uint32_t *runs,
			  size_t n);
int question_protect_port(void *questions, uint16_t port, bool on);

/*
 * This process as a member of a run of its own: what it binds by a hard-coded port has another
 * number, is reached by the first as long as it is there, and a port that is protected against it
 * is refused; in IPv4, and in IPv6 where that has a loopback address.  Transparent: and of both it
 * is told the first number.  Nothing of it stays.  0, or a negative errno: -ENOTRECOVERABLE when
 * the programs are attached and do not do it.
 */
int rules_prove(struct questions *q, const struct process_id *self, bool transparent);

#endif
