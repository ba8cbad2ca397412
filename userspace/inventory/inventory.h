/* SPDX-License-Identifier: MIT */
/*
 * What is: every bound socket of the machine, and every process behind it.
 *
 * The table is read by inventory_resync() (one iterator pass over all processes, one sock_diag
 * dump, /proc where there is no iterator) and then kept by inventory_apply() from events.  It holds
 * listeners, bound-inactive TCP sockets and bound UDP sockets of all network namespaces; TIME_WAIT
 * and connections are looked up on demand with inventory_query_port().
 *
 * Rows are keyed by socket cookie.  An MPTCP listener is one row (its TCP subflow, which owns the
 * port), its holders joined by inode.
 */
#ifndef INVENTORY_INVENTORY_H
#define INVENTORY_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/event.h"
#include "base/kernel_source.h"
#include "base/net.h"
#include "base/process.h"

struct inventory;

#define INVENTORY_HOLDER_FDS 8 /* descriptor numbers kept for each holder */

struct holder {
	struct process_id id;
	uint8_t n_fds;	   /* 0 = not looked at yet */
	bool private_only; /* all of them in tables private to threads: /proc/PID/fd has none */
	uint16_t fd_count; /* how many descriptors it really has, may exceed n_fds */
	uint32_t link;	   /* the table's own: where the process lists this socket */
	uint64_t pass;	   /* the table's own: the number of the pass or look that saw it last */
	int fds[INVENTORY_HOLDER_FDS];
};

/* How the process that bound a socket went away. */
enum binder_fate {
	BINDER_ALIVE = 0,
	BINDER_EXITED_WELL,  /* exit code 0: a daemonizing parent, perhaps */
	BINDER_EXITED_BADLY, /* another code, or a signal */
	BINDER_GONE,	     /* it was gone before we looked */
};

/* One socket; borrowed views stay valid until the next call that is not const. */
struct socket_row {
	uint64_t cookie;
	uint64_t inode; /* 0 = no file, or not known yet */
	uint32_t netns;
	uint16_t protocol;
	uint8_t family;
	enum socket_state state;
	struct net_addr addr;
	uint16_t port;
	bool v6only;
	int v6only_known; /* by sock_diag and events, not by /proc */
	uint32_t dev;
	uid_t uid;	    /* of the socket; PROCESS_UID_UNKNOWN where it is not known */
	uint64_t cgroup_id; /* in which it was created */
	int64_t since;	    /* Unix seconds of bind or listen; 0 = before we watched */
	int64_t seen;	    /* Unix seconds when the table first held it */
	uint32_t timer_ms;  /* TIME_WAIT: what is left */
	/* pid 0 = unknown; a resync puts the oldest holder here for sockets bound before we watched
	 */
	struct process_id binder;
	pid_t binder_sid; /* 0 = unknown */
	enum binder_fate binder_fate;
	size_t n_holders;
	struct holder *holders; /* oldest first */
	/* every reference to the file is accounted for by `holders`, and by file references if
	 * those were looked for (file_refs.h) */
	bool complete;
	/*
	 * Its last known holder has ended, and neither its close nor an inheritor has been seen
	 * yet: the kernel closes descriptors after it has reported the end.  Who holds it cannot be
	 * said now, and soon can.
	 */
	bool undecided;
	/* who had it last, has ended, and is still on its way out, as far as is known; pid 0 =
	 * nobody */
	struct process_id leaving;
	/* how the last of its holders has ended, as waitpid() reports it; counts where nobody holds
	 * it since, which `left` says */
	int left_status;
	bool left;
	bool recorded; /* inventory_set_recorded() */
};

/*
 * Opens the netlink socket and learns the own netns.  `kernel` is copied; one that can be asked for
 * nothing leaves /proc and sock_diag.  0, negative errno.
 */
int inventory_new(const struct kernel_source *kernel, struct inventory **ret);
void inventory_free(struct inventory *inv);

/* The network namespace that the daemon lives in; claims are about this one. */
uint32_t inventory_own_netns(const struct inventory *inv);

/*
 * Called for each (netns, port) whose rows changed, when the table stands again; it may call the
 * functions that take a const inventory.  The child of a fork is told once a look confirmed it.
 */
typedef void (*inventory_changed)(uint32_t netns, uint16_t port, void *user_data);

/*
 * Reads the table anew from the kernel, in slices: begins (one that is under way gives way), and
 * goes on until that moment (CLOCK_MONOTONIC), or to the end.  Meanwhile events are applied and
 * questions answered: rows appear as they are found, and what is gone goes at the end.  What events
 * taught (since, binder, fate) is kept for sockets that are still there.  `changed` is called for
 * each port that differs from before.  0, or a negative errno: then it has ended, and nothing was
 * dropped.
 */
int inventory_resync_begin(struct inventory *inv, int64_t now);
int inventory_resync_go_on(struct inventory *inv, uint64_t until_ns, inventory_changed changed,
			   void *user_data);
bool inventory_is_resyncing(const struct inventory *inv);

/* All of it at once. */
int inventory_resync(struct inventory *inv, int64_t now, inventory_changed changed,
		     void *user_data);

/*
 * Applies one event.  `changed` as above.  *ret_settle becomes true when something cannot be known
 * yet (a holder ended and its socket is still there, a holder forked): the caller calls
 * inventory_settle() INVENTORY_SETTLE_MS later.
 */
#define INVENTORY_SETTLE_MS 3
int inventory_apply(struct inventory *inv, const struct event *event, int64_t now,
		    inventory_changed changed, void *user_data, bool *ret_settle);

/*
 * Looks again at the sockets that were left unsettled: drops holders that ended, finds the
 * inheritors (a look at each candidate; a full pass only when the file has references that no
 * candidate explains).  *ret_again is true when some socket is still undecided (call again later,
 * the table gives up after a bounded number of tries).
 */
int inventory_settle(struct inventory *inv, int64_t now, inventory_changed changed, void *user_data,
		     bool *ret_again);

/*
 * A new question begins, or something happened: whoever was looked at before may be looked at
 * again.  Within one question a process that holds many ports is looked at once.
 */
void inventory_refresh(struct inventory *inv);

/*
 * Looks at every known holder of a port now; unlike the next one never at all processes.  A port
 * with very many holders is left as it is.  0, negative errno.
 */
int inventory_look_at_port(struct inventory *inv, uint32_t netns, uint16_t port);

/*
 * Verifies the holders of all rows of a port (netns 0 = of all namespaces) by looking at them now;
 * until then a holder that only events told of has no descriptor numbers.  Where that leaves
 * somebody unknown all processes are searched: at once where that is done in some milliseconds,
 * else behind this question.  What differs is told by the next call that takes a `changed`.  0,
 * negative errno.
 */
int inventory_verify_port(struct inventory *inv, uint32_t netns, uint16_t port);

/*
 * The same in all namespaces for a question that waits for the search, and for a table that is
 * being read anew, while others do not: goes on until that moment (CLOCK_MONOTONIC).  *ret_more: to
 * be called again.  Port 0: ahead of a list of all ports, for those of whom the table does not know
 * who holds them.
 */
int inventory_verify_in_parts(struct inventory *inv, uint16_t port, uint64_t until_ns,
			      bool *ret_more);

/* Whom to tell that a search has begun which inventory_settle() is to go on with; NULL: then each
 * is done at once. */
void inventory_set_search_begun(struct inventory *inv, void (*search_begun)(void *user_data),
				void *user_data);

/*
 * Where somebody who goes through the rows has got to, in order of port, then cookie: zeroes are
 * the beginning.  It holds no row, and stays valid whatever becomes of the table meanwhile.
 */
struct inventory_place {
	uint16_t port;
	uint64_t cookie;
};
/* The first row behind the place, which it moves there; NULL behind the last one. */
const struct socket_row *inventory_next(const struct inventory *inv, struct inventory_place *place);

/*
 * Before inventory_verify_port() is called for many ports: asks the holders of up to `max` rows
 * behind a place, of those that `wanted` picks (NULL = of each), for the descriptors that they are
 * known to have, in one call to the kernel.  Those who do not answer as expected are left to be
 * looked at one by one, port by port; everybody, where the kernel cannot be asked so.  Until
 * inventory_refresh(), a socket that nobody was found to hold is searched for among all processes
 * every few seconds only.  0, negative errno.
 */
int inventory_recheck(struct inventory *inv, struct inventory_place from, size_t max,
		      bool (*wanted)(const struct socket_row *row, void *user_data),
		      void *user_data);

/* The same for all rows of some ports, netns 0 = of all namespaces. */
int inventory_recheck_ports(struct inventory *inv, uint32_t netns, const uint16_t *ports, size_t n);

/*
 * Rows of one port in one netns (0 = all namespaces), up to max of them; returns how many there
 * are, max + 1 standing for any more.  `ret` may be NULL: they are only counted.
 */
size_t inventory_by_port(const struct inventory *inv, uint32_t netns, uint16_t port,
			 const struct socket_row **ret, size_t max);

/* The row of a socket, or NULL.  Borrowed. */
const struct socket_row *inventory_by_cookie(const struct inventory *inv, uint64_t cookie);

/* Its begin is in the history: a mark of whoever writes that, kept as long as the socket. */
void inventory_set_recorded(struct inventory *inv, uint64_t cookie);

/* Calls visit for every row, in order of port, then cookie; `wanted` picks the ports, NULL = all.
 * Stops when visit returns false. */
void inventory_for_each(const struct inventory *inv, bool (*wanted)(uint16_t port, void *user_data),
			bool (*visit)(const struct socket_row *row, void *user_data),
			void *user_data);

/* Number of rows. */
size_t inventory_count(const struct inventory *inv);

/*
 * Something was missed: until a resync that begins after this succeeds, the table may show a socket
 * that is gone, and lack one that is there.
 */
void inventory_note_loss(struct inventory *inv);
bool inventory_is_behind(const struct inventory *inv);

/* How often the table was rebuilt, the first time included. */
uint64_t inventory_resyncs(const struct inventory *inv);

/* What is known of a process; NULL when nothing is.  Borrowed. */
const struct process *inventory_process(const struct inventory *inv, const struct process_id *id);

/* The named run that a process is a member of, as the kernel side knows it now; 0 = of none. */
uint32_t inventory_run_of(const struct inventory *inv, const struct process_id *id);

/*
 * Puts back what was known of a process, where nothing is known any more.  Like everybody without a
 * socket it is forgotten again before long.  0, -ENOMEM.
 */
int inventory_recall_process(struct inventory *inv, const struct process *process);

/*
 * What a later daemon is told of launchers.  Takes the next server that has lost one which did not
 * end with success, or that had and has ended itself since: then *ret_process is NULL, else it is
 * borrowed, and the end stands in its chain.  False: there is none left.
 */
bool inventory_next_launcher_end(struct inventory *inv, struct process_id *ret_server,
				 const struct process **ret_process);
bool inventory_launcher_ends_wait(const struct inventory *inv);

/*
 * Puts the end of a launcher, as an earlier daemon saw it, into the chain of the server where that
 * is the same process and has a socket.  The server is one of those taken above then.
 */
void inventory_recall_launcher(struct inventory *inv, const struct process_id *server,
			       const struct process_ancestor *launcher);

/*
 * All owners of a port in the own netns as sock_diag lists them now: also TIME_WAIT and
 * connections (state tells).  holders and binder are filled from the table where the cookie is
 * known.  The array is owned by the caller: free(*ret) (the holders stay borrowed).
 * protocol: IPPROTO_TCP or IPPROTO_UDP.
 */
int inventory_query_port(struct inventory *inv, uint16_t protocol, uint16_t port,
			 struct socket_row **ret, size_t *ret_n);

/*
 * True when no socket at all is bound to the port in the own netns: TCP or UDP, IPv4 or IPv6,
 * listening, connected or merely bound (TIME_WAIT does not count).  Asks the table and the walk of
 * the kernel's own bind table (microseconds), or where there is none sock_diag, which reads every
 * connection of the machine (a millisecond).
 */
int inventory_port_is_free(struct inventory *inv, uint16_t port, bool *ret_free);

/* ip_local_port_range and ip_local_reserved_ports of the own netns, read once for a question
 * (inventory_refresh()). */
bool inventory_port_is_reserved(struct inventory *inv, uint16_t port);

/* --- who holds a port, as people are shown it (holdings.c) --- */

/* True for a socket that serves: TCP (or MPTCP) in LISTEN, UDP bound without a peer. */
bool socket_serves(const struct socket_row *row);

/* The holder of that identity; NULL when the process holds no descriptor of the socket, and where
 * there is no row. */
static inline const struct holder *socket_holder(const struct socket_row *row,
						 const struct process_id *id)
{
	for (size_t i = 0; row && i < row->n_holders; i++)
		if (process_id_equal(&row->holders[i].id, id))
			return &row->holders[i];
	return NULL;
}

/* One process on one of the sockets; everything borrowed from the inventory. */
struct holding {
	const struct holder *holder;
	const struct socket_row *socket; /* the first of its sockets */
	const char *via;		 /* how, where not by a descriptor of its own; else NULL */
};

/*
 * Every process that holds one of the sockets, once, oldest first.  serving: sockets that serve
 * only.  *ret is the caller's: free().  0, -ENOMEM.
 */
int inventory_holdings(const struct socket_row *const *rows, size_t n, bool serving,
		       struct holding **ret, size_t *ret_n);

/*
 * All rows of a port, netns 0 = of all namespaces; verified: after the holders of each were looked
 * at, what is shown is alive.  *ret is the caller's: free(); the rows are borrowed until the
 * inventory changes.  0, negative errno.
 */
int inventory_rows_of_port(const struct inventory *inv, uint32_t netns, uint16_t port,
			   const struct socket_row ***ret, size_t *ret_n);
int inventory_verified_rows(struct inventory *inv, uint32_t netns, uint16_t port,
			    const struct socket_row ***ret, size_t *ret_n);

/*
 * The ports but `but` that a process serves, in no order, each once; returns how many there are,
 * max + 1 standing for any more.  Of one with very many sockets only some are looked at.
 */
size_t inventory_served_ports(const struct inventory *inv, const struct process_id *id,
			      uint16_t but, uint16_t *ret, size_t max);

/* Calls visit for every process of the table that has a socket and has not ended, in no order.
 * Stops when visit returns false.  Its cost grows with the table: not for each row. */
void inventory_for_each_process(const struct inventory *inv,
				bool (*visit)(const struct process *process, void *user_data),
				void *user_data);

/* What Node.js (24 and newer) names its main thread, and with it the process: no name for people.
 */
#define INVENTORY_NODE_THREAD "MainThread"

/* What is known of a process, from the table or else from /proc; false when nothing is.  Its comm
 * is that of its program where it is INVENTORY_NODE_THREAD. */
bool inventory_describe(const struct inventory *inv, const struct process_id *id,
			struct process *ret);

/* Its name as inventory_describe() gives it, "" when nothing is known.  Returns ret. */
const char *inventory_process_name(const struct inventory *inv, const struct process_id *id,
				   char ret[static PROCESS_COMM_SIZE]);

#endif
