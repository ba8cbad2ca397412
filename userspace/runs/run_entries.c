/* SPDX-License-Identifier: MIT */
#include "runs/run_entries.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "base/event.h"
#include "base/moment.h"
#include "base/run.h"
#include "base/text.h"
#include "registry/registry.h"
#include "registry/runs.h"
#include "tracker/activity.h"

#define WORDS_SIZE   160
#define DETAILS_SIZE (RUN_ID_SIZE + WORDS_SIZE + 16)

/* "run-0a1b2c3d WORDS", about the process `by`; NULL: about its pd. */
static void write_entry(struct activity_writer *w, const struct run *run, const struct event *by,
			const char *words)
{
	char details[DETAILS_SIZE], id[RUN_ID_SIZE];

	snprintf(details, sizeof(details), "%s %s", run_id_format(run->number, id), words);
	activity_write_or_log(w, &(struct activity){
					 .action = ACTIVITY_RUN,
					 .service = run->service,
					 .details = details,
					 .timestamp = time(NULL),
					 .port = run->port,
					 .pid = by ? by->actor.pid : run->pd.pid,
					 .uid = run->uid,
					 .comm = by ? by->comm : "pd",
				 });
}

/* "node (pid 4711)"; a name may have any bytes. */
static const char *name_of(const struct event *event, char ret[WORDS_SIZE])
{
	char comm[4 * PROCESS_COMM_SIZE];

	snprintf(ret, WORDS_SIZE, "%s (pid %d)", text_to_utf8(event->comm, comm, sizeof(comm)),
		 event->actor.pid);
	return ret;
}

void run_entry_begun(struct activity_writer *w, const struct run *run)
{
	char words[WORDS_SIZE] = "began", outer[RUN_ID_SIZE];

	if (run->outer)
		snprintf(words, sizeof(words), "began inside of %s",
			 run_id_format(run->outer, outer));
	write_entry(w, run, NULL, words);
}

void run_entry_state(struct activity_writer *w, const struct run *run, const struct event *cause)
{
	static const char *const words_of[_RUN_STATE_MAX] = {
		[RUN_READY] = "is ready",
		[RUN_DETACHED] = "is detached: its command has ended with success, and what it "
				 "left stays",
		[RUN_UNATTENDED] = "is unattended: its pd has ended, and its processes go on",
		[RUN_ENDING] = "is being ended",
	};
	char words[WORDS_SIZE], name[WORDS_SIZE], port[RUN_PORT_SIZE];

	if (!words_of[run->state])
		return;
	snprintf(words, sizeof(words), "%s", words_of[run->state]);
	if (run->state == RUN_READY && cause)
		snprintf(words, sizeof(words), "is ready: %.100s listens on port %s",
			 name_of(cause, name),
			 run_port_format(run_asked_port(run, cause->port), cause->port, port));
	write_entry(w, run, cause, words);
}

void run_entry_ended(struct activity_writer *w, const struct run *run, const struct event *last)
{
	int64_t now = time(NULL);
	char words[WORDS_SIZE], name[WORDS_SIZE] = "", after[32];
	int n = snprintf(words, sizeof(words), "ended after %s",
			 duration_format_long(now > run->since ? now - run->since : 0, after));

	/* its pd, which passes on how its command ended, mostly is the last of all */
	if (last && !process_id_equal(&last->actor, &run->pd))
		n += snprintf(words + n, sizeof(words) - n, "; %.100s was the last of it",
			      name_of(last, name));
	if (last && WIFSIGNALED(last->exit_code))
		snprintf(words + n, sizeof(words) - n, "%s, killed by signal %d",
			 *name ? "" : "; its pd", WTERMSIG(last->exit_code));
	else if (last)
		snprintf(words + n, sizeof(words) - n, ", exit code %d",
			 WEXITSTATUS(last->exit_code));
	else
		snprintf(words + n, sizeof(words) - n, "; nobody saw how");
	write_entry(w, run, last, words);
}
