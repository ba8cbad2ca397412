/* SPDX-License-Identifier: MIT */
/*
 * A port or a refusal → facts, verdict, words, remedies: everything that `pd why` says, as plain
 * structs, without HTTP and JSON.
 *
 * Facts come first (facts.c): what reconcile/why.h judges, which is the owners of a port as the
 * kernel lists them, each joined with what the table of sockets knows of it, and what else may
 * refuse a bind.  Costly evidence is looked for only where it can change the answer: other file
 * references on a socket where its references are not explained, the environment where no owner
 * explains the refusal.  Words and remedies are written last, from the facts alone: nothing is read
 * for them.
 */
#ifndef EXPLAIN_EXPLAIN_H
#define EXPLAIN_EXPLAIN_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/share.h"
#include "explain/brief.h"
#include "explain/holder.h"
#include "explain/two_servers.h"
#include "inventory/bindtable.h"
#include "inventory/inventory.h"
#include "reconcile/why.h"
#include "registry/registry.h"
#include "registry/service_list.h"

#define WHY_MISSING_SIZE	256
#define WHY_COMMAND_SIZE	256
#define WHY_CGROUP_SIZE		448 /* of a cgroup's path in a command; a longer one is not named */
#define WHY_SUMMARY_SIZE	512
#define WHY_RULE_SIZE		240 /* 200 characters */
#define WHY_REMEDIES_MAX	3   /* nobody tries a fourth */
#define WHY_RESERVED_SIZE	256 /* of ip_local_reserved_ports; a longer list is not known */
#define WHY_REMEDY_TEXT_SIZE	512
#define WHY_REMEDY_COMMAND_SIZE 1024		    /* eight pids, and what lets them go */
#define WHY_KILLS_MAX		(2 * WHY_ENDED_MAX) /* each with its supervisor */
#define WHY_FAILURES_MAX	10		    /* recorded refusals of the port */

struct lineage;
struct refusal;
struct sentinel_report;
struct why_past;

/* Users whose searches are told apart; of more of them who searched least recently is forgotten. */
#define WHY_SEARCHERS_MAX 32

/*
 * How much time the searches of recorded refusals took lately (QUOTA_SEARCHES): a program that is
 * refused in a loop may not keep the daemon busy, nor use up what is left for others.  All zero to
 * begin with.
 */
struct why_searches {
	struct share machine;
	struct share_of users[WHY_SEARCHERS_MAX]; /* by uid */
	uint64_t turn;
	unsigned left_out; /* since the last search */
};

/* What explanations are made from (borrowed), and how much time searches took. */
struct explainer {
	struct inventory *inventory;
	struct registry *registry; /* of claims */
	const struct sentinel_report *report;
	const struct kernel_source *kernel;
	const struct lineage *lineage; /* NULL = nothing is known of who started whom */
	/* Reads a refusal as it was stored, which whoever wrote it can; false where it is damaged.
	 * NULL = none is remembered. */
	bool (*read_past)(const struct refusal_record *record, struct why_past *ret);
	struct why_searches searches;
};

/* A question about now, as it is asked. */
struct why_asked {
	struct why_question question; /* is_protected: in the own namespace, where it is that */
	const char *netns; /* a pid, or a name below /run/netns; NULL = where the asker is */
	const char *dev;   /* the name of an interface there; NULL = any */
	pid_t asker;	   /* whose rights count; 0 = only question.uid is known */
	uid_t viewer;
	int64_t now;	/* Unix seconds */
	bool remembers; /* what the viewer was refused a moment ago, though it is free by now */
};

/* The network namespace that is asked about. */
struct why_netns {
	pid_t pid;	/* of a process in it; 0 = the daemon's own */
	uint32_t inode; /* 0 = could not be found out */
	bool own;
	bool unreachable; /* it exists, and no process is known in it */
	char name[64];	  /* as it was asked for; "" = the own one */
	bool of_asker;	  /* who asks is in it himself */
	/* what stands before a command that acts there: "nsenter -t 4711 -n "; "" = nothing */
	char enter[96];
	bool shut;		    /* no way in is known */
	struct bind_netns settings; /* as the kernel has it; not `known` without eBPF */
};

/* What can be done; a command is correct as it stands, or "". */
struct why_remedies {
	size_t n;
	struct why_remedy {
		char text[WHY_REMEDY_TEXT_SIZE], command[WHY_REMEDY_COMMAND_SIZE];
		bool passing; /* about what is in the way now, and of no use when that is gone */
		size_t n_kills;
		pid_t kills[WHY_KILLS_MAX]; /* that the command ends; each runs */
		struct why_hits hits;
	} list[WHY_REMEDIES_MAX];
};

/* One explanation: what is asked, what was found out, what is said of it. */
struct why_facts {
	const struct inventory *inv; /* borrowed */
	uint32_t own_netns;	     /* the daemon's */
	struct why_question question;
	struct why_netns netns;
	struct process_arguments caller_arguments; /* at the refusal */
	struct process_rights caller_rights;	   /* likewise, where they were recorded */
	pid_t caller; /* whose rights count; 0 = only question.uid is known */
	uid_t viewer;
	int64_t now; /* Unix seconds; of a refusal: when it happened */
	char caller_comm[PROCESS_COMM_SIZE];

	struct why_answer answer;
	struct why_environment environment;
	/* what is in the way; for WHY_OTHER_NETNS what would be, there */
	const struct why_owner *shown[WHY_BLOCKING_MAX];
	size_t n_shown;
	/* owned: of the sockets shown; those that listen, where one does, before those that only
	 * have a connection left, each oldest first */
	struct why_holder *holders;
	size_t n_holders, n_foremost; /* of whom the sentence speaks; the others are behind them */
	char *claim;		      /* owned: the service that owns the port; NULL = none */
	struct service_list claims;   /* the same, as it is stored */
	struct activity *failures[WHY_FAILURES_MAX]; /* owned: of the port, newest first */
	size_t n_failures;
	char warning[TWO_SERVERS_WARNING_SIZE];
	bool beside; /* the other one of TCP and UDP has a socket on the number, of: */
	char beside_name[PROCESS_COMM_SIZE]; /* "" = nobody who is seen */
	pid_t beside_pid;
	bool by_program; /* a program of a cgroup refused the bind, or sent it elsewhere */
	char program_cgroup[WHY_CGROUP_SIZE]; /* the directory of that cgroup; "" = not found */
	/* "" = not known */
	char their_user[USER_NAME_SIZE]; /* of the first socket shown */
	char your_user[USER_NAME_SIZE];	 /* who is asked for */
	/* of the verdicts that need them (verdicts.h) */
	pid_t tracer;			  /* of the first holder; 0 = none */
	char reserved[WHY_RESERVED_SIZE]; /* ip_local_reserved_ports, which setting it replaces */
	bool reserved_known;
	/* that was refused, where the viewer may see it and a command can name it; else "" */
	char caller_program[PROCESS_PATH_SIZE];
	/* what could not be read, what would lift that, and the command for it; "" = none */
	char missing[WHY_MISSING_SIZE], lift[WHY_MISSING_SIZE], missing_command[WHY_COMMAND_SIZE];

	/* what is said */
	char rule[WHY_RULE_SIZE], summary[WHY_SUMMARY_SIZE];
	struct why_remedies remedies;

	/* owned, behind the answer */
	struct bind_table table;
	bool walked;		   /* the table was read */
	uint64_t remembered_netns; /* cookie of the namespace of question.error; 0 = not known */
	int walk_error;
	struct why_owner *owners; /* owners[i] has rows[i], whether or not the table knew one */
	struct socket_row *rows;
	size_t n_owners;
	struct why_owner *others; /* in other namespaces */
	size_t n_others;
	struct holder *found; /* holders that only a search found, one list after the other */
	struct holder *then;  /* of a refusal: the holders as the table had them, likewise */
	/* of a refusal: who holds what was in the way could not be looked for, the socket being
	 * gone, or, where left_out, because there were too many searches before */
	bool unsearched, left_out;
	/* with this one, where left_out; else those that were left out before this search */
	unsigned left_out_in_row;
	struct holder file_refs[WHY_BLOCKING_MAX];
};

enum why_outcome {
	WHY_EXPLAINED = 0,
	WHY_NO_PROCESS, /* that a namespace was to be found by */
	WHY_NO_NETNS,	/* of that name */
	WHY_NETNS_SHUT, /* its name may not be looked up */
	WHY_NO_INTERFACE,
};

/* Explains a question, with the recorded refusals of its port.  *f is zero.  An enum why_outcome,
 * negative errno; *f is to be deinitialised in any case. */
int explain_question(struct explainer *x, const struct why_asked *asked, struct why_facts *f);

/* The same in a namespace that was found, without those refusals: of *f question, netns, caller,
 * viewer and now are set.  0, negative errno. */
int explain_port(struct explainer *x, struct why_facts *f);

/*
 * Explains a refusal from its evidence (refusal.h), whatever the table has by now, as its caller's
 * user may see it.  *f is zero.  As above.
 */
int explain_refusal(struct explainer *x, const struct refusal *refusal, struct why_facts *f);

/* Who was in the way, as the answer has it; false when nobody was. */
bool why_facts_obstacle(const struct why_facts *f, struct why_obstacle *ret);

void why_facts_deinit(struct why_facts *f);

/* The question of a server that asks for the port on every address, IPv4 and IPv6: "::" without
 * V6ONLY, and SO_REUSEADDR, are what most ask for. */
static inline struct why_question why_default_question(uint16_t protocol, uint16_t port)
{
	return (struct why_question){ .protocol = protocol,
				      .family = AF_INET6,
				      .port = port,
				      .reuseaddr = protocol != IPPROTO_UDP,
				      .flags_assumed = true };
}

/*
 * Finds the namespace of a pid or of a name below /run/netns; NULL = the own one.  0; -ENOENT when
 * there is none; -ESRCH for a pid that is gone; -EACCES.
 */
int why_netns_find(struct explainer *x, const char *text, struct why_netns *ret);

/* The index of an interface of the namespace; 0 = there is none. */
uint32_t why_netns_device(const struct why_netns *netns, const char *name);

/* The row that stands for an owner that is shown; never NULL. */
static inline const struct socket_row *why_row(const struct why_facts *f,
					       const struct why_owner *owner)
{
	bool here = owner >= f->owners && owner < f->owners + f->n_owners;

	return here ? &f->rows[owner - f->owners] : owner->row;
}

/* Is every reference to this socket's file accounted for? */
bool why_owner_is_complete(const struct why_owner *owner);

/* What would give a daemon that runs without BPF more to see; ret_command "" where there is no such
 * command. */
void why_lift_obstacle(const struct sentinel_report *report, uid_t viewer,
		       char ret_lift[static WHY_MISSING_SIZE],
		       char ret_command[static WHY_COMMAND_SIZE]);

#endif
