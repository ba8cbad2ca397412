/* SPDX-License-Identifier: MIT */
#include "daemon/refusals.h"

#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/journal.h"

#define GAP_SIZE 256

void refusals_note_dropped(struct refusals *r, int64_t now)
{
	char details[GAP_SIZE];

	if (r->failures.dropped == r->dropped_reported)
		return;
	snprintf(details, sizeof(details),
		 "%llu refused calls were not written down: more than %d a second came for long",
		 (unsigned long long)(r->failures.dropped - r->dropped_reported), FAILURES_PER_S);
	r->dropped_reported = r->failures.dropped;
	log_warning("%s", details);
	journal_note(r->journal, ACTIVITY_GAP, details, now);
}

/* False when it is only a repetition, or one too many. */
static bool write_failure(struct refusals *r, const struct event *event, const char *service,
			  int64_t now)
{
	char details[FAILURES_DETAILS_SIZE], comm[4 * PROCESS_COMM_SIZE];
	unsigned repeated;

	if (!failures_admit(&r->failures, event, now, &repeated))
		return false;
	refusals_note_dropped(r, now);
	failures_describe(event, r->inventory, repeated, details);
	journal_write(r->journal, &(struct activity){
					  .action = ACTIVITY_FAIL,
					  .service = service ? service : "",
					  .details = details,
					  .timestamp = now,
					  .port = event->port,
					  .pid = event->actor.pid,
					  .uid = event->uid,
					  .comm = text_to_utf8(event->comm, comm, sizeof(comm)),
					  .error = event->error,
				  });
	return true;
}

/*
 * Explained now, and not when somebody asks: the holder may be gone by then.  Without an
 * explanation the entry in the audit trail stands alone.
 */
static void explain_failure(struct refusals *r, const struct event *event, int64_t now)
{
	_cleanup_free_ char *explanation = NULL;
	int error = api_explain_failure(r->journal->api, event, now, &explanation);

	if (!error)
		error = registry_begin(r->journal->registry);
	if (!error)
		error = registry_record_failure(r->journal->registry,
						&(struct failure){
							.at = now,
							.caller = event->actor,
							.uid = event->uid,
							.comm = event->comm,
							.port = event->port,
							.error = event->error,
							.explanation = explanation,
						},
						NULL);
	if (error) {
		log_error("why pid %d was refused port %u was not written down: %s",
			  event->actor.pid, event->port, strerror(-error));
		return;
	}
	api_schedule_commit(r->journal->api);
}

/* Failures that a starting daemon provokes to prove its probes are nobody's concern. */
static bool is_proof(const struct event *event)
{
	return !strcmp(event->comm, "portdaddyd");
}

void refusals_record(struct refusals *r, const struct event *event, const char *service,
		     int64_t now)
{
	if (!is_proof(event) && write_failure(r, event, service, now))
		explain_failure(r, event, now);
}
