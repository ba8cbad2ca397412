/* SPDX-License-Identifier: MIT */
#include "reconcile/status.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/moment.h"
#include "base/text.h"
#include "base/user.h"
#include "reconcile/belongs.h"
#include "registry/runs.h"

#define USER_WORDS_SIZE (USER_NAME_SIZE + 16)
#define WHO_BYTES	96 /* an escaped comm (4 bytes a byte at most) and a pid */

/* A claim, and how to look at processes: what every decision below needs. */
struct view {
	const struct service *claim;
	const struct status_sources *sources;
};

/* --- one socket ------------------------------------------------------------------------- */

/*
 * What is known of a holder.  Of one that nobody described, the socket's user is known: processes
 * seldom serve on another user's socket.
 */
static struct process holder_process(const struct view *view, const struct socket_row *row,
				     const struct holder *holder)
{
	const struct process *known = view->sources->process(&holder->id, view->sources->user_data);
	struct process stranger = { .id = holder->id, .uid = row->uid };

	return known ? *known : stranger;
}

/* " of user anna"; "" of one that is not known. */
static const char *of_user(const struct status_sources *sources, uid_t uid,
			   char ret[static USER_WORDS_SIZE])
{
	ret[0] = '\0';
	if (uid == PROCESS_UID_UNKNOWN)
		return ret;
	if (sources->user)
		snprintf(ret, USER_WORDS_SIZE, " of user %s", sources->user(uid));
	else
		snprintf(ret, USER_WORDS_SIZE, " of user %u", uid);
	return ret;
}

/* "node (94120)", or "process 94120" when its name is unknown.  Names are hostile: escaped. */
static const char *describe(const struct process *process, char ret[static WHO_BYTES])
{
	char comm[PROCESS_COMM_SIZE + 1] = { 0 }, escaped[WHO_BYTES - 16];

	memcpy(comm, process->comm, PROCESS_COMM_SIZE);
	text_escape_terminal(comm, escaped, sizeof(escaped));
	if (comm[0])
		snprintf(ret, WHO_BYTES, "%s (%d)", escaped, process->id.pid);
	else
		snprintf(ret, WHO_BYTES, "process %d", process->id.pid);
	return ret;
}

static bool binder_is_gone(const struct socket_row *row)
{
	if (row->binder.pid == 0 || row->binder_fate == BINDER_ALIVE)
		return false;
	return !socket_holder(row, &row->binder);
}

/*
 * A parent that bound, forked and left with success, and an inheritor outside its session, is how
 * programs daemonize.  Without the binder's session only an inheritor that leads one is certain to
 * have left it.
 */
static bool daemonized(const struct socket_row *row, const struct process *inheritor)
{
	if (row->binder_fate != BINDER_EXITED_WELL || inheritor->sid == 0)
		return false;
	if (row->binder_sid == 0)
		return inheritor->sid == inheritor->id.pid;
	return inheritor->sid != row->binder_sid;
}

/*
 * Its process has just ended, and the kernel may be about to close the socket: nothing is
 * concluded from that, the status stays.
 */
static void judge_undecided(const struct view *view, struct status_verdict *ret)
{
	ret->status = view->claim->status;
	ret->ending = true;
	strcpy(ret->reason, "its process has just ended");
}

/* Nobody is seen to hold the socket: another user's process, io_uring, a message in flight. */
static void judge_hidden(const struct view *view, const struct socket_row *row,
			 struct status_verdict *ret)
{
	char user[USER_WORDS_SIZE];
	bool own = row->uid == view->claim->uid && row->uid != PROCESS_UID_UNKNOWN;

	if (own && !binder_is_gone(row)) {
		ret->status = SERVICE_ACTIVE;
		strcpy(ret->reason, "holder hidden");
	} else if (own && row->leaving.pid) {
		ret->status = SERVICE_ORPHANED;
		snprintf(ret->reason, sizeof(ret->reason),
			 "process %d has ended, but the kernel still keeps its port",
			 row->leaving.pid);
	} else if (own) {
		ret->status = SERVICE_ORPHANED;
		snprintf(ret->reason, sizeof(ret->reason),
			 "parent %d is gone, a hidden process keeps the port", row->binder.pid);
	} else if (row->uid == PROCESS_UID_UNKNOWN) {
		ret->status = SERVICE_SQUATTED;
		strcpy(ret->reason, "held by a hidden process, not by this claim");
	} else {
		ret->status = SERVICE_SQUATTED;
		snprintf(ret->reason, sizeof(ret->reason),
			 "held by a hidden process%s, not by this claim",
			 of_user(view->sources, row->uid, user));
	}
}

/* The run of the claim that a process is a member of: then it fits, whatever it has become. */
static const struct run *run_of_claim(const struct service *claim, const struct process *process)
{
	const struct run *run = process->run ? claim->runs : NULL;

	while (run && (run->number != process->run || !run_is_of(run, claim->id, claim->port)))
		run = run->next;
	return run;
}

/* Nobody looks after it any more, and nobody has said that it is to stay. */
static bool judge_unattended(const struct process *holder, const struct run *run,
			     struct status_verdict *ret)
{
	char who[WHO_BYTES];

	if (!run || run->state != RUN_UNATTENDED)
		return false;
	ret->status = SERVICE_ORPHANED;
	snprintf(ret->reason, sizeof(ret->reason),
		 "%s is of an unattended run: pd (%d), which started it, is gone; "
		 "pd stop %s ends it",
		 describe(holder, who), run->pd.pid, run->service);
	return true;
}

/* The binder is gone.  Who descends from it may hang below init by now, so the user decides. */
static bool judge_inheritor(const struct view *view, const struct socket_row *row,
			    const struct process *inheritor, struct status_verdict *ret)
{
	const struct run *run = run_of_claim(view->claim, inheritor);
	char who[WHO_BYTES];

	if (judge_unattended(inheritor, run, ret))
		return true;
	if (!run && (inheritor->uid == PROCESS_UID_UNKNOWN || inheritor->uid != view->claim->uid))
		return false;
	describe(inheritor, who);
	if (daemonized(row, inheritor) || (run && run->state == RUN_DETACHED)) {
		ret->status = SERVICE_ACTIVE;
		snprintf(ret->reason, sizeof(ret->reason),
			 "%s listens as a daemon, its parent %d left with success", who,
			 row->binder.pid);
	} else {
		ret->status = SERVICE_ORPHANED;
		snprintf(ret->reason, sizeof(ret->reason),
			 "parent %d is gone, child %s keeps the port", row->binder.pid, who);
	}
	return true;
}

/* --- left behind ------------------------------------------------------------------------ */

static bool has_left_behind(const struct process_ancestor *a, const struct process *process)
{
	bool is_shell_of_session = a->id.pid == a->sid;

	if (!a->ended_at || !a->exit_code || !a->sid || a->sid != process->sid)
		return false;
	return !(is_shell_of_session && process->ignores_hangup);
}

/* Of several that ended at one time the one furthest up is what was killed. */
const struct process_ancestor *process_left_behind_by(const struct process *process)
{
	const struct process_ancestor *first = NULL;

	for (size_t i = 0; i < process->n_ancestors && i < PROCESS_ANCESTORS_MAX; i++) {
		const struct process_ancestor *a = &process->ancestors[i];

		if (has_left_behind(a, process) && (!first || a->ended_at <= first->ended_at))
			first = a;
	}
	return first;
}

static void describe_end(int exit_code, char *ret, size_t size)
{
	int signal = WTERMSIG(exit_code);
	const char *name = sigabbrev_np(signal);

	if (!WIFSIGNALED(exit_code))
		snprintf(ret, size, "ended with exit code %d", WEXITSTATUS(exit_code));
	else if (signal == SIGKILL)
		snprintf(ret, size, "was killed");
	else if (name)
		snprintf(ret, size, "was ended by SIG%s", name);
	else
		snprintf(ret, size, "was ended by signal %d", signal);
}

const char *launcher_words(const struct process_ancestor *launcher,
			   char ret[static LAUNCHER_WORDS_SIZE])
{
	struct process process = { .id = launcher->id };
	char who[WHO_BYTES], when[32], how[48];

	memcpy(process.comm, launcher->comm, sizeof(process.comm));
	describe_end(launcher->exit_code, how, sizeof(how));
	snprintf(ret, LAUNCHER_WORDS_SIZE, "%s, which %s at %s", describe(&process, who), how,
		 moment_format_log(launcher->ended_at, launcher->ended_at, when));
	return ret;
}

/* The binder lives, or was never known and the oldest holder stands for it. */
static bool judge_holder(const struct view *view, const struct process *holder,
			 struct status_verdict *ret)
{
	const struct process_ancestor *launcher = process_left_behind_by(holder);
	const struct run *run = run_of_claim(view->claim, holder);
	char who[WHO_BYTES], words[LAUNCHER_WORDS_SIZE];

	if (judge_unattended(holder, run, ret))
		return true;
	if (!run && !belongs_to_claim(view->claim, holder))
		return false;
	if (launcher && !(run && run->state == RUN_DETACHED)) {
		ret->status = SERVICE_ORPHANED;
		snprintf(ret->reason, sizeof(ret->reason), "%s was left behind by %s",
			 describe(holder, who), launcher_words(launcher, words));
		return true;
	}
	ret->status = SERVICE_ACTIVE;
	snprintf(ret->reason, sizeof(ret->reason), "%s listens", describe(holder, who));
	return true;
}

/* --- on behalf of the claim -------------------------------------------------------------- */

/* The engine of root's, or one of the claim's own user: a name and arguments are anybody's. */
static bool judge_engine(const struct view *view, const struct process *holder,
			 const struct process_behalf *behalf, struct status_verdict *ret)
{
	char who[WHO_BYTES];

	if (!behalf->engine || (holder->uid != 0 && holder->uid != view->claim->uid))
		return false;
	ret->status = SERVICE_ACTIVE;
	snprintf(ret->reason, sizeof(ret->reason), "%s has the port for a container of %s",
		 describe(holder, who), behalf->engine);
	return true;
}

/* pm2's daemon takes the connections of what it runs. */
static bool judge_served(const struct view *view, const struct process *holder,
			 const struct process_behalf *behalf, struct status_verdict *ret)
{
	char who[WHO_BYTES], whom[WHO_BYTES];

	for (size_t i = 0; holder->uid == view->claim->uid && i < behalf->n_served; i++) {
		if (!belongs_to_claim(view->claim, &behalf->served[i]))
			continue;
		ret->status = SERVICE_ACTIVE;
		snprintf(ret->reason, sizeof(ret->reason), "%s listens for %s",
			 describe(holder, who), describe(&behalf->served[i], whom));
		return true;
	}
	return false;
}

/* What the claim's user started through sudo counts as the user's own. */
static bool judge_started(const struct view *view, const struct process *holder,
			  const struct process_behalf *behalf, struct status_verdict *ret)
{
	struct process own = *holder;

	if (behalf->started_by != view->claim->uid || behalf->started_by == PROCESS_UID_UNKNOWN)
		return false;
	own.uid = view->claim->uid;
	return judge_holder(view, &own, ret);
}

#define BEHALF_HOLDERS_MAX 8 /* of one socket, that are asked about: some reads of /proc each */

static bool judge_behalf(const struct view *view, const struct socket_row *row,
			 struct status_verdict *ret)
{
	for (size_t i = 0; view->sources->behalf && i < row->n_holders; i++) {
		struct process holder = holder_process(view, row, &row->holders[i]);
		struct process_behalf behalf;

		if (i == BEHALF_HOLDERS_MAX)
			break;
		view->sources->behalf(&holder, row->port, &behalf);
		ret->process = holder.id;
		if (judge_engine(view, &holder, &behalf, ret) ||
		    judge_served(view, &holder, &behalf, ret) ||
		    judge_started(view, &holder, &behalf, ret))
			return true;
	}
	return false;
}

static void judge_squatter(const struct view *view, const struct process *holder,
			   struct status_verdict *ret)
{
	char who[WHO_BYTES], user[USER_WORDS_SIZE];

	ret->status = SERVICE_SQUATTED;
	describe(holder, who);
	snprintf(ret->reason, sizeof(ret->reason), "held by %s%s, not by this claim", who,
		 of_user(view->sources, holder->uid, user));
}

/*
 * The oldest holder that fits decides.  It need not be the binder: with socket activation the
 * binder is the service manager, which stays and holds the socket, too.
 */
static void judge_socket(const struct view *view, const struct socket_row *row,
			 struct status_verdict *ret)
{
	bool gone = binder_is_gone(row);
	struct process holder;

	*ret = (struct status_verdict){ .socket = row };
	if (row->n_holders == 0 && row->undecided) {
		judge_undecided(view, ret);
		return;
	}
	if (row->n_holders == 0) {
		judge_hidden(view, row, ret);
		return;
	}
	for (size_t i = 0; i < row->n_holders; i++) {
		holder = holder_process(view, row, &row->holders[i]);
		ret->process = holder.id;
		if (gone ? judge_inheritor(view, row, &holder, ret)
			 : judge_holder(view, &holder, ret))
			return;
	}
	if (judge_behalf(view, row, ret))
		return;
	holder = holder_process(view, row, &row->holders[0]);
	ret->process = holder.id;
	judge_squatter(view, &holder, ret);
}

/* --- a service -------------------------------------------------------------------------- */

static void judge_silence(const struct service *claim, int64_t now, int64_t stale_age_s,
			  struct status_verdict *ret)
{
	int64_t silent_s = now - claim->updated_at;
	char age[16];

	*ret = (struct status_verdict){ .status = SERVICE_CLAIMED };
	if (silent_s >= stale_age_s) {
		ret->status = SERVICE_STALE;
		snprintf(ret->reason, sizeof(ret->reason), "nothing seen for %s",
			 duration_format_short(silent_s, age));
	} else if (claim->ever_active) {
		ret->status = SERVICE_GHOST;
		strcpy(ret->reason, "nothing listens on the port any more");
	} else {
		strcpy(ret->reason, "nothing has listened on the port yet");
	}
}

void reconcile_service(const struct service *claim, const struct socket_row *const *rows, size_t n,
		       const struct status_sources *sources, int64_t now, int64_t stale_age_s,
		       struct status_verdict *ret)
{
	static const int ranks[_SERVICE_STATUS_MAX] = {
		[SERVICE_ACTIVE] = 3,
		[SERVICE_ORPHANED] = 2,
		[SERVICE_SQUATTED] = 1,
	};
	const struct view view = { claim, sources };
	const struct socket_row *strange = NULL;
	struct process_id stranger = { 0 };
	struct status_verdict verdict;

	judge_silence(claim, now, stale_age_s, ret);
	for (size_t i = 0; i < n; i++) {
		if (!socket_serves(rows[i]))
			continue;
		judge_socket(&view, rows[i], &verdict);
		if (verdict.status == SERVICE_SQUATTED && !strange) {
			strange = verdict.socket;
			stranger = verdict.process;
		}
		if (ranks[verdict.status] > ranks[ret->status])
			*ret = verdict;
	}
	if (strange != ret->socket) {
		ret->strange_socket = strange;
		ret->stranger = stranger;
	}
}

void reconcile_socket(const struct service *claim, const struct socket_row *row,
		      const struct status_sources *sources, struct status_verdict *ret)
{
	const struct view view = { claim, sources };

	judge_socket(&view, row, ret);
}

bool status_warning(const struct status_verdict *verdict, const struct status_sources *sources,
		    char ret[STATUS_WARNING_SIZE])
{
	const struct socket_row *row = verdict->strange_socket;
	const struct process *known = sources->process(&verdict->stranger, sources->user_data);
	struct process stranger = { .id = verdict->stranger };
	char who[WHO_BYTES] = "a hidden process", addr[NET_ADDR_STR_SIZE], user[USER_WORDS_SIZE];
	bool v6 = row && row->family == AF_INET6;

	ret[0] = '\0';
	if (!row)
		return false;
	if (stranger.id.pid)
		describe(known ? known : &stranger, who);
	snprintf(ret, STATUS_WARNING_SIZE,
		 "%s%s listens on %s%s%s:%u%s as well, and is not of this claim", who,
		 of_user(sources, row->uid, user), v6 ? "[" : "",
		 net_addr_format(row->family, &row->addr, addr), v6 ? "]" : "", row->port,
		 row->protocol == IPPROTO_UDP ? " (UDP)" : "");
	return true;
}

/* --- sockets without a service ---------------------------------------------------------- */

static const char *const orphan_texts[] = {
	[ORPHAN_NOT] = "",
	[ORPHAN_IN_RANGE] = "listens in the range of services, unclaimed",
	[ORPHAN_ONCE_CLAIMED] = "listens on a port that was claimed before",
};

enum orphan_reason reconcile_orphan(const struct socket_row *row, struct port_range range,
				    bool port_is_claimed, bool ever_claimed)
{
	if (port_is_claimed || !socket_serves(row))
		return ORPHAN_NOT;
	if (ever_claimed)
		return ORPHAN_ONCE_CLAIMED;
	if (row->port >= range.first && row->port <= range.last)
		return ORPHAN_IN_RANGE;
	return ORPHAN_NOT;
}

const char *orphan_reason_text(enum orphan_reason reason)
{
	return (unsigned)reason < ARRAY_SIZE(orphan_texts) ? orphan_texts[reason] : "";
}
