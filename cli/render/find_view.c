/* SPDX-License-Identifier: MIT */
#include "cli/render/find_view.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/outcome.h"
#include "cli/client/answer.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define PIDS_SIZE 64
/* Columns of what may be cut, as long as others can be left out instead. */
#define PROCESS_LEAST 10
#define NAME_LEAST    20
#define ADDRESS_LEAST 15

struct find_view {
	struct render_table *table;
	char **warnings;
	size_t n_warnings;
};

/* Two servers that split a port's families are two rows with one warning: said once. */
static void keep_warning(struct find_view *v, const char *warning)
{
	char **grown;

	if (!*warning || (v->n_warnings && !strcmp(warning, v->warnings[v->n_warnings - 1])))
		return;
	grown = reallocarray(v->warnings, v->n_warnings + 1, sizeof(*grown));
	if (!grown)
		return; /* the table stands without it */
	v->warnings = grown;
	grown[v->n_warnings] = strdup(warning);
	v->n_warnings += grown[v->n_warnings] != NULL;
}

static void add_port(struct render_table *t, int64_t port, const char *behind)
{
	char text[32];

	snprintf(text, sizeof(text), "%d%s", (int)port, behind);
	render_table_text(t, TONE_PLAIN, text);
}

/* --- services --- */

enum { SERVICE_NAME, SERVICE_PORT, SERVICE_PID, SERVICE_PROCESS, SERVICE_CREATED, SERVICE_STATUS };

static const char *const service_headings[] = {
	[SERVICE_NAME] = "Service",    [SERVICE_PORT] = "Port",	      [SERVICE_PID] = "PID",
	[SERVICE_PROCESS] = "Process", [SERVICE_CREATED] = "Created", [SERVICE_STATUS] = "Status",
};

void find_view_add_service(struct find_view *v, struct json_object *service)
{
	struct render_table *t = v->table;
	const char *status = answer_text(service, "status");
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_text(t, TONE_PLAIN, answer_text(service, "id"));
	add_port(t, answer_int(service, "port"), "");
	render_table_text(t, TONE_PLAIN, answer_pids(service, "pids", pids, sizeof(pids)));
	render_table_text(t, TONE_PLAIN, answer_text(service, "process"));
	render_table_text(t, TONE_DIM, show_ago(answer_int(service, "createdAt"), age));
	render_table_text(t, show_status_tone(status), status);
	keep_warning(v, answer_text(service, "warning"));
}

void find_view_add_orphan(struct find_view *v, struct json_object *orphan)
{
	struct render_table *t = v->table;
	bool tcp = strcmp(answer_text(orphan, "proto"), "udp") != 0;
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_text(t, TONE_DIM, "(unclaimed)");
	add_port(t, answer_int(orphan, "port"), tcp ? "" : "/udp");
	render_table_text(t, TONE_PLAIN, answer_pids(orphan, "pids", pids, sizeof(pids)));
	render_table_text(t, TONE_PLAIN, answer_text(orphan, "process"));
	render_table_text(t, TONE_DIM, show_ago(answer_int(orphan, "since"), age));
	render_table_text(t, show_status_tone("orphan"), "orphan");
	keep_warning(v, answer_text(orphan, "warning"));
}

/* --- sockets --- */

enum {
	SOCKET_PROTO,
	SOCKET_ADDRESS,
	SOCKET_PORT,
	SOCKET_PID,
	SOCKET_PROCESS,
	SOCKET_USER,
	SOCKET_SINCE,
	SOCKET_SERVICE,
	SOCKET_STATUS,
	SOCKET_NETNS,
	_SOCKET_COLUMNS
};

static const char *const socket_headings[_SOCKET_COLUMNS] = {
	[SOCKET_PROTO] = "Proto",     [SOCKET_ADDRESS] = "Address", [SOCKET_PORT] = "Port",
	[SOCKET_PID] = "PID",	      [SOCKET_PROCESS] = "Process", [SOCKET_USER] = "User",
	[SOCKET_SINCE] = "Since",     [SOCKET_SERVICE] = "Service", [SOCKET_STATUS] = "Status",
	[SOCKET_NETNS] = "Namespace",
};

/* A TCP socket that is bound and does not listen is the one that no other tool shows. */
static const char *socket_status(struct json_object *row)
{
	const char *status = answer_text(row, "status");

	if (*status)
		return status;
	if (strcmp(answer_text(row, "state"), "BOUND") != 0)
		return "";
	return strncmp(answer_text(row, "proto"), "udp", 3) == 0 ? "" : "bound only";
}

void find_view_add_socket(struct find_view *v, struct json_object *socket)
{
	struct render_table *t = v->table;
	const char *status = socket_status(socket);
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_text(t, TONE_PLAIN, answer_text(socket, "proto"));
	render_table_text(t, TONE_PLAIN, answer_text(socket, "addr"));
	add_port(t, answer_int(socket, "port"), "");
	render_table_text(t, TONE_PLAIN, answer_pids(socket, "pids", pids, sizeof(pids)));
	render_table_text(t, TONE_PLAIN, answer_text(socket, "process"));
	render_table_text(t, TONE_PLAIN, answer_text(socket, "user"));
	render_table_text(t, TONE_DIM, show_ago(answer_int(socket, "since"), age));
	render_table_text(t, TONE_PLAIN, answer_text(socket, "service"));
	render_table_text(t, show_status_tone(status), status);
	if (answer_bool(socket, "ownNetns"))
		render_table_text(t, TONE_DIM, "");
	else
		render_table_cell(t, TONE_WARN, "net:[%lld]",
				  (long long)answer_int(socket, "netns"));
}

/* --- both --- */

/* What a terminal of 40 columns shows of it are names, ports, pids and statuses. */
static void set_narrow_columns(struct render_table *t, bool sockets)
{
	if (sockets) {
		render_table_flexible(t, SOCKET_PROCESS, PROCESS_LEAST);
		render_table_flexible(t, SOCKET_SERVICE, NAME_LEAST);
		render_table_flexible(t, SOCKET_ADDRESS, ADDRESS_LEAST);
		render_table_droppable(t, SOCKET_SINCE);
		render_table_droppable(t, SOCKET_USER);
		render_table_droppable(t, SOCKET_PROTO);
		render_table_droppable(t, SOCKET_STATUS);
	} else {
		render_table_flexible(t, SERVICE_PROCESS, PROCESS_LEAST);
		render_table_flexible(t, SERVICE_NAME, NAME_LEAST);
		render_table_droppable(t, SERVICE_CREATED);
		render_table_droppable(t, SERVICE_PROCESS);
	}
}

struct find_view *find_view_new(bool sockets)
{
	struct find_view *v = calloc(1, sizeof(*v));

	if (!v) { /* as for the table itself */
		fputs("pd: out of memory\n", stderr);
		exit(outcome_row(OUTCOME_FAILED)->exit_code);
	}
	if (sockets)
		v->table = render_table_new(socket_headings, _SOCKET_COLUMNS);
	else
		v->table = render_table_new(service_headings, ARRAY_SIZE(service_headings));
	if (sockets)
		render_table_optional(v->table, SOCKET_NETNS);
	set_narrow_columns(v->table, sockets);
	return v;
}

void find_view_print(struct find_view *v)
{
	render_table_print(TAKE_PTR(v->table));
	for (size_t i = 0; i < v->n_warnings; i++)
		render_note("warning: %s", v->warnings[i]);
}

void find_view_free(struct find_view *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->n_warnings; i++)
		free(v->warnings[i]);
	free(v->warnings);
	render_table_free(v->table);
	free(v);
}
