/* SPDX-License-Identifier: MIT */
#include "tracker/found_claim.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/outcome.h"
#include "registry/runs.h"

/* --- a claim --- */

static void name_process(const struct inventory *inv, struct found_claim *c)
{
	const struct judgement *now = &c->now;

	if (now->verdict.process.pid)
		inventory_process_name(inv, &now->verdict.process, c->process);
	else if (now->n_holdings)
		inventory_process_name(inv, &now->holdings[0].holder->id, c->process);
}

static void warn(const struct inventory *inv, struct found_claim *c)
{
	const struct status_verdict *verdict = &c->now.verdict;
	const struct service *s = c->service;

	if (c->unattended)
		snprintf(c->warning, sizeof(c->warning),
			 "the pd that ran %s (pid %d) is gone; pd stop %s ends what it left", s->id,
			 s->runs->pd.pid, s->id);
	else if (c->stopped)
		judge_stopped_words(inv, &verdict->process, c->warning, sizeof(c->warning));
	else if (!two_servers_warning(inv, inventory_own_netns(inv), IPPROTO_TCP, s->port,
				      c->warning))
		judge_warning(inv, verdict, c->warning);
}

int found_claim_read(struct inventory *inv, const struct service *claim, int64_t now,
		     const char *status, struct found_claim *ret)
{
	const struct status_verdict *verdict = &ret->now.verdict;
	bool squatted;
	int r;

	*ret = (struct found_claim){ .service = claim };
	r = judge_claim(inv, claim, now, JUDGE_VERIFIED, &ret->now);
	if (r)
		return r;
	if (status && strcmp(status, judge_status_name(verdict)) != 0)
		return OUTCOME_NO;
	squatted = verdict->status == SERVICE_SQUATTED;
	if (claim->runs && !squatted)
		ret->asked_port = run_asked_port(claim->runs, claim->port);
	/* of 50,000 claims few have a process, and without one there is nothing more to find */
	if (!verdict->socket && !ret->now.n_holdings)
		return 0;
	ret->unattended = claim->runs && claim->runs->state == RUN_UNATTENDED &&
			  verdict->status == SERVICE_ORPHANED;
	ret->stopped = !squatted && judge_is_stopped(verdict);
	name_process(inv, ret);
	warn(inv, ret);
	return 0;
}

void found_claim_deinit(struct found_claim *c)
{
	free(c->now.holdings);
	c->now.holdings = NULL;
}

/* --- a listener without a claim --- */

int found_orphan_read(const struct inventory *inv, struct registry *registry,
		      const struct socket_row *row, struct port_warning *warning,
		      struct found_orphan *ret)
{
	int reason = judge_socket(inv, registry, row);

	if (reason <= ORPHAN_NOT)
		return reason < 0 ? reason : OUTCOME_NO;
	*ret = (struct found_orphan){ .row = row, .reason = (enum orphan_reason)reason };
	if (row->n_holders)
		inventory_process_name(inv, &row->holders[0].id, ret->process);
	ret->warning = two_servers_warning_of_row(warning, inv, row);
	return 0;
}
