/* SPDX-License-Identifier: MIT */
#include "view/holder.h"

#include "base/procfs.h"
#include "base/user.h"
#include "explain/holder.h"
#include "http/json.h"
#include "reconcile/status.h"

static void add_ancestry(struct json_object *o, const struct why_holder *h)
{
	const struct process *process = &h->process;
	struct json_object *ancestry = json_add_array(o, "ancestry");

	for (int i = 0; i < process->n_ancestors && i < PROCESS_ANCESTORS_MAX; i++) {
		struct json_object *ancestor = json_append_object(ancestry);

		json_add_int(ancestor, "pid", process->ancestors[i].id.pid);
		json_add_text(ancestor, "comm", process->ancestors[i].comm);
		json_add_text(ancestor, "runs", *h->ancestors_run[i] ? h->ancestors_run[i] : NULL);
		json_add_known(ancestor, "endedAt", process->ancestors[i].ended_at);
	}
}

struct json_object *view_holder(const struct why_holder *h, uid_t viewer)
{
	const struct process *process = &h->process;
	const struct holder *holder = h->holding.holder;
	struct json_object *o = json_object_new_object(), *fds;
	const struct process_ancestor *launcher;
	char words[LAUNCHER_WORDS_SIZE];
	bool may = user_may_see(viewer, process->uid);

	json_add_int(o, "pid", process->id.pid);
	json_add_known(o, "startTime", procfs_start_unix(&process->id));
	json_add_int(o, "startTicks", (int64_t)process->id.start_ticks);
	json_add_text(o, "comm", process->comm);
	json_add_text(o, "cmdline", h->cmdline);
	json_add_text(o, "runs", *h->runs ? h->runs : NULL);
	json_add_text(o, "exe", may ? process->exe : NULL);
	json_add_text(o, "cwd", may ? process->cwd : NULL);
	json_add_text(o, "user", h->user);
	json_add(o, "uid", process->uid == PROCESS_UID_UNKNOWN ? NULL : json_int(process->uid));
	fds = json_add_array(o, "fds");
	for (int i = 0; i < holder->n_fds && i < INVENTORY_HOLDER_FDS; i++)
		json_append(fds, json_int(holder->fds[i]));
	json_add_text(o, "via", h->holding.via);
	json_add_known(o, "since", h->holding.socket->since);
	add_ancestry(o, h);
	launcher = process_left_behind_by(process);
	json_add_text(o, "leftBehindBy", launcher ? launcher_words(launcher, words) : NULL);
	json_add_text(o, "unit", h->cgroup.unit);
	json_add_text(o, "container", h->cgroup.container);
	json_add_text(o, "forwardsFor", h->forwards && !h->forward.own ? h->forward.engine : NULL);
	json_add_text(o, "state", process_state_name(h->state));
	return o;
}
