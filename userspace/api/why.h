/* SPDX-License-Identifier: MIT */
/* The answer of `pd why`: verdict, sockets, holders, what to do. */
#ifndef API_WHY_H
#define API_WHY_H

#include "api/json.h"
#include "api/why_facts.h"

#define WHY_SUMMARY_SIZE	512
#define WHY_REMEDIES_MAX	3 /* nobody tries a fourth */
#define WHY_REMEDY_TEXT_SIZE	512
#define WHY_REMEDY_COMMAND_SIZE 1024 /* eight pids, and what lets them go */
#define WHY_REFUSALS_MAX	50   /* recorded refusals in one answer: a few kB each */
#define WHY_WARNING_SIZE	256

struct api;

/* Adds the members of the why object to `o` (borrowed).  0, negative errno. */
int why_view(struct api *api, const struct why_question *question, uid_t viewer, int64_t now,
	     struct json_object *o);

/* The same for a question with a place and a caller: those members of *f are set. */
int why_view_place(struct api *api, struct why_facts *f, struct json_object *o);

/* The same from facts that were gathered already; cannot fail. */
void why_view_facts(const struct why_facts *f, struct json_object *o);

/* One sentence for a web developer.  ret: WHY_SUMMARY_SIZE bytes. */
void why_summarize(const struct why_facts *f, char *ret);

/* The program passed an address that nobody can read (EFAULT): that concerns no port. */
bool why_is_program_fault(const struct why_facts *f);

/* What can be done; a command is correct as it stands, or "". */
struct why_remedies {
	size_t n;
	struct why_remedy {
		char text[WHY_REMEDY_TEXT_SIZE], command[WHY_REMEDY_COMMAND_SIZE];
	} list[WHY_REMEDIES_MAX];
};
void why_list_remedies(const struct why_facts *f, struct why_remedies *ret);

/* The question of a server that asks for the port on every address, IPv4 and IPv6. */
struct why_question why_default_question(uint16_t protocol, uint16_t port);

/* "5 days", "1 minute", "42 seconds".  ret: 32 bytes. */
char *why_age(int64_t seconds, char *ret);

/* "node (pid 94120)", "node (pid 94120) and 3 more", "a process that is hidden from here". */
void why_name_holders(const struct why_facts *f, char *ret, size_t size);

/* What is left of the longest timer of the sockets shown, in seconds, rounded up. */
int64_t why_wait_seconds(const struct why_facts *f);

/*
 * Two servers on one port, one for IPv4 and one for IPv6: no bind fails, and "localhost" meets
 * either.  True, and a sentence in ret (WHY_WARNING_SIZE bytes), when that is so.
 */
bool why_split_warning(const struct inventory *inv, uint32_t netns, uint16_t protocol,
		       uint16_t port, char *ret);

#endif
