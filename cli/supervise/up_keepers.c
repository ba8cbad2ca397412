/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/project/config.h"
#include "cli/render/port_variable.h"
#include "cli/render/render.h"
#include "cli/supervise/up_parts.h"

/* --- the environment --- */

/* Of every service of the file, wanted or not; ends with NULL. */
static char **variables_of(const struct up_options *o)
{
	size_t n = o->config->n;
	char **ret = render_must(calloc(2 * n + 1, sizeof(*ret)));

	for (size_t i = 0; i < n; i++) {
		char name[PORT_VARIABLE_SIZE];
		unsigned port = (unsigned)answer_int(answer_at(o->claims, i), "port");
		int stem;

		port_variable_of(o->config->services[i].name, name);
		stem = (int)(strlen(name) - strlen("PORT"));
		if (asprintf(&ret[2 * i], "%s=%u", name, port) < 0 ||
		    asprintf(&ret[2 * i + 1], "%.*sURL=http://localhost:%u", stem, name, port) < 0)
			ret[2 * i] = render_must(NULL);
	}
	return ret;
}

static void free_variables(char ***variables)
{
	for (char **v = *variables; v && *v; v++)
		free(*v);
	free(*variables);
}

int up_keepers_start(struct up *u)
{
	_cleanup_(free_variables) char **variables = variables_of(u->o);
	int r = 0;

	for (size_t i = 0; !r && i < u->n; i++) {
		struct up_service *s = &u->services[i];
		/* it is the keeper's, too, which has a copy of all memory */
		const struct keeper_plan plan = { .service = s->config->id,
						  .port = s->own.port,
						  .start = &s->config->start,
						  .directory = u->o->directory,
						  .variables = variables };

		if (s->node->state == NEEDS_WAITING)
			r = keeper_new(&plan, &s->keeper);
	}
	if (r)
		return render_fail(u->o->json, OUTCOME_FAILED, "%s", strerror(-r));
	return 0;
}

/* --- what keepers tell --- */

static const char *how_it_ended(int status, char ret[static 64])
{
	if (WIFSIGNALED(status))
		snprintf(ret, 64, "signal SIG%s", sigabbrev_np(WTERMSIG(status)));
	else if (WEXITSTATUS(status) == 127)
		snprintf(ret, 64, "exit code 127: its command was not found");
	else if (WEXITSTATUS(status) == 126)
		snprintf(ret, 64, "exit code 126: its command could not be run");
	else
		snprintf(ret, 64, "exit code %d", WEXITSTATUS(status));
	return ret;
}

static void note_end(struct up *u, struct up_service *s, const struct keeper_message *m)
{
	char how[64];

	if (s->node->state == NEEDS_OVER || u->n_asked)
		return;
	how_it_ended(m->status, how);
	if (m->gave_up)
		render_say(u->o->quiet, "%s has ended too often within a minute and is given up",
			   s->config->name);
	else if (s->was_ready)
		render_say(u->o->quiet, "%s %s: %s", s->config->name,
			   m->on_request ? "was ended" : "has ended", how);
	else
		render_note("%s ended before it was ready: %s", s->config->name, how);
	u->failed = u->failed || !s->was_ready || (m->status && !m->on_request);
	if (!s->was_ready && !u->o->keep_going)
		u->culprit = (size_t)(s - u->services);
	needs_give_up(&u->needs, (size_t)(s - u->services));
	if (!s->was_ready && u->o->keep_going)
		up_output_show_last(u, s);
}

static void take_message(struct up *u, struct up_service *s, const struct keeper_message *m)
{
	char how[64];

	switch (m->event) {
	case KEEPER_REGISTERED:
		s->own.number = m->run;
		s->own.followed = m->followed;
		s->own.rewritten = m->rewritten;
		s->own.n_hardcoded = m->n_hardcoded;
		memcpy(s->own.hardcoded, m->hardcoded, sizeof(s->own.hardcoded));
		s->registered = true;
		break;
	case KEEPER_RESTARTS:
		render_say(u->o->quiet, "%s has ended: %s; it is started again in %.2fs",
			   s->config->name, how_it_ended(m->status, how),
			   (double)m->pause_ms / 1000);
		s->listens = s->is_healthy = false;
		break;
	case KEEPER_DETACHED:
		render_say(u->o->quiet, "%s made itself a daemon; pd down %s ends it",
			   s->config->name, s->config->name);
		break;
	case KEEPER_LOG_LOST:
		render_say(u->o->quiet, "the log of %s cannot be written: %s; it goes on without",
			   s->config->name, strerror(m->error));
		break;
	case KEEPER_ENDED:
		while (up_output_read(u, s))
			;
		note_end(u, s, m);
		break;
	}
}

/* The keeper's end without a word is that of something that was killed. */
static void note_lost_keeper(struct up *u, struct up_service *s)
{
	if (s->node->state == NEEDS_OVER || u->n_asked)
		return;
	if (s->registered)
		render_note("the pd that looked after %s is gone, and its processes may not be; pd "
			    "down %s ends them",
			    s->config->name, s->config->name);
	u->failed = true;
	if (!u->o->keep_going && !s->was_ready)
		u->culprit = (size_t)(s - u->services);
	needs_give_up(&u->needs, (size_t)(s - u->services));
}

void up_keepers_read(struct up *u, struct up_service *s)
{
	struct keeper_message m;
	int r;

	while (s->keeper.control_fd >= 0 && (r = keeper_read(&s->keeper, &m)) != -EAGAIN) {
		if (r == 1) {
			take_message(u, s, &m);
			continue;
		}
		close(s->keeper.control_fd);
		s->keeper.control_fd = -1;
		note_lost_keeper(u, s);
	}
}

void up_keepers_note_adopted_end(struct up *u, struct up_service *s)
{
	close(s->pd_fd);
	s->pd_fd = -1;
	if (s->node->state == NEEDS_OVER || u->n_asked)
		return;
	render_say(u->o->quiet, "%s, which was adopted, has ended", s->config->name);
	if (!s->was_ready) {
		u->failed = true;
		u->culprit = u->o->keep_going ? u->culprit : (size_t)(s - u->services);
	}
	needs_give_up(&u->needs, (size_t)(s - u->services));
}
