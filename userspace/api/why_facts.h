/* SPDX-License-Identifier: MIT */
/*
 * Gathers what reconcile/why.h judges: the owners of a port as the kernel lists them, each joined
 * with what the table of sockets knows of it, and what else may refuse a bind.  Costly evidence is
 * looked for only where it can change the answer: other grips on a socket where its references are
 * not explained, the environment where no owner explains the refusal.
 */
#ifndef API_WHY_FACTS_H
#define API_WHY_FACTS_H

#include "api/view.h"
#include "reconcile/why.h"

#define WHY_MISSING_SIZE 256
#define WHY_COMMAND_SIZE 256
#define WHY_CGROUP_SIZE	 448 /* of a cgroup's path in a command; a longer one is not named */

struct api;
struct sentinel_report;

/* The network namespace that is asked about. */
struct why_place {
	pid_t pid;	/* of a process in it; 0 = the daemon's own */
	uint32_t netns; /* 0 = could not be found out */
	bool own;
	bool unreachable; /* it exists, and no process is known in it */
	char name[64];	  /* as it was asked for; "" = the own one */
	bool of_asker;	  /* who asks is in it himself */
	/* what stands before a command that acts there: "nsenter -t 4711 -n "; "" = nothing */
	char enter[96];
	bool shut;	       /* no way in is known */
	struct bind_netns set; /* as the kernel has it; not `known` without eBPF */
};

/* Everything that words and remedies are made of. */
struct why_facts {
	const struct inventory *inv; /* borrowed */
	struct why_question question;
	struct why_place place;
	pid_t caller; /* whose rights count; 0 = only question.uid is known */
	uid_t viewer;
	int64_t now; /* Unix seconds; of a refusal: when it happened */
	char caller_comm[PROCESS_COMM_SIZE];

	struct why_answer answer;
	struct why_environment environment;
	/* what is in the way; for WHY_OTHER_NETNS what would be, there */
	const struct why_owner *shown[WHY_BLOCKING_MAX];
	size_t n_shown;
	struct holding *holdings; /* owned: of the sockets shown, oldest first */
	size_t n_holdings;
	char *claim; /* owned: the service that owns the port; NULL = none */
	char warning[256];
	bool by_program; /* a program of a cgroup refused the bind, or sent it elsewhere */
	char program_cgroup[WHY_CGROUP_SIZE]; /* the directory of that cgroup; "" = not found */
	/* what could not be read, what would lift that, and the command for it; "" = none */
	char missing[WHY_MISSING_SIZE], lift[WHY_MISSING_SIZE], missing_command[WHY_COMMAND_SIZE];

	/* owned, behind the answer */
	struct bind_table table;
	bool walked;		   /* the table was read */
	uint64_t remembered_place; /* cookie of the namespace of question.error; 0 = not known */
	int walk_error;
	struct why_owner *owners; /* owners[i] has rows[i], whether or not the table knew one */
	struct socket_row *rows;
	size_t n_owners;
	struct why_owner *others; /* in other namespaces */
	size_t n_others;
	struct holder *found; /* holders that only a search found, one list after the other */
	struct holder *then;  /* of a refusal: the holders as the table had them, likewise */
	bool left_out;	      /* a search was due, and there were too many before it */
	struct holder grips[WHY_BLOCKING_MAX];
};

/* For a question about now: question, place, caller, viewer and now are set.  0, negative errno. */
int why_facts_gather(struct api *api, struct why_facts *f);

/* The two steps behind the owners: the verdict; then what stands around it.  0, negative errno. */
int why_facts_judge(struct api *api, struct why_facts *f);
int why_facts_finish(struct api *api, struct why_facts *f);

void why_facts_deinit(struct why_facts *f);

/* The row that stands for an owner that is shown; never NULL. */
const struct socket_row *why_facts_row(const struct why_facts *f, const struct why_owner *owner);

/* Is every reference to this socket's file accounted for? */
bool why_owner_is_complete(const struct why_owner *owner);

/* Words for a grip that is no descriptor of a process's own table; NULL for GRIP_NONE. */
const char *why_grip_text(enum grip_kind kind);

/*
 * Finds the namespace of a pid or of a name below /run/netns.  0; -ENOENT when there is none;
 * -ESRCH for a pid that is gone.
 */
int why_place_find(struct api *api, const char *text, struct why_place *ret);

/* Fills missing, lift and missing_command: what stays out of reach of this daemon. */
void why_say_missing(struct api *api, struct why_facts *f);

/* What would give a daemon that runs without BPF more to see.  ret_lift and ret_command:
 * WHY_MISSING_SIZE and WHY_COMMAND_SIZE bytes; "" where there is no such command. */
void why_lift_obstacle(const struct sentinel_report *report, uid_t viewer, char *ret_lift,
		       char *ret_command);

/* Fills `enter` and `shut` of the place, once the holders are known. */
void why_place_find_entry(struct api *api, struct why_facts *f);

/* The index of an interface of the place; 0 = there is none. */
uint32_t why_place_device(const struct why_place *place, const char *name);

#endif
