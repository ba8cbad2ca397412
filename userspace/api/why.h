/* SPDX-License-Identifier: MIT */
/* The answer of `pd why`: verdict, sockets, holders, what to do. */
#ifndef API_WHY_H
#define API_WHY_H

#include "api/json.h"
#include "api/view.h"
#include "reconcile/why.h"

#define WHY_SUMMARY_SIZE 512

struct api;

/* Everything that words and remedies are made of; borrowed from the inventory but for `claim`. */
struct why_facts {
	const struct inventory *inv;
	const struct why_question *question;
	const struct why_answer *answer;
	/* what is in the way; for WHY_OTHER_NETNS what would be, there */
	const struct socket_row *const *shown;
	size_t n_shown;
	const struct holding *holdings; /* of the sockets shown, oldest first */
	size_t n_holdings;
	const char *claim; /* the service that owns the port; NULL = none */
	uid_t viewer;
	int64_t now;
};

/* Adds the members of the why object to `o` (borrowed).  0, negative errno. */
int why_view(struct api *api, const struct why_question *question, uid_t viewer, int64_t now,
	     struct json_object *o);

/* One sentence for a web developer.  ret: WHY_SUMMARY_SIZE bytes. */
void why_summarize(const struct why_facts *f, char *ret);

/* What can be done, as {text, command} objects appended to `array`; a command is correct as it
 * stands or absent. */
void why_add_remedies(const struct why_facts *f, struct json_object *array);

/* The question of a server that asks for the port on every address, IPv4 and IPv6. */
struct why_question why_default_question(uint16_t protocol, uint16_t port);

/* "5 days", "1 minute", "42 seconds".  ret: 32 bytes. */
char *why_age(int64_t seconds, char *ret);

#endif
