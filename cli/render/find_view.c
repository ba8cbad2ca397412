/* SPDX-License-Identifier: MIT */
#include "cli/render/find_view.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/paths.h"
#include "base/user.h"
#include "cli/client/answer.h"
#include "cli/render/orphan_rows.h"
#include "cli/render/render.h"
#include "cli/render/show.h"

#define PIDS_SIZE 64
/* Columns of what may be cut, as long as others can be left out instead. */
#define PROCESS_LEAST 10
#define NAME_LEAST    20
#define ADDRESS_LEAST 15
#define PORTS_LEAST   19
#define WIDE_COLUMNS  60 /* a narrower terminal is told no number of ports */

struct find_view {
	struct render_table *table;
	bool urls;
	char caller[USER_NAME_SIZE];
	struct json_object **others; /* services of other users */
	size_t n_others;
	struct orphan_rows *orphans;
	char **warnings;
	size_t n_warnings;
};

/* Two servers that split a port's families are two rows with one warning: said once. */
static void keep_warning(struct find_view *v, const char *warning)
{
	if (!*warning || (v->n_warnings && !strcmp(warning, v->warnings[v->n_warnings - 1])))
		return;
	v->warnings =
		render_must(reallocarray(v->warnings, v->n_warnings + 1, sizeof(*v->warnings)));
	v->warnings[v->n_warnings++] = render_must(strdup(warning));
}

/* --- services --- */

enum {
	SERVICE_NAME,
	SERVICE_PORT,
	SERVICE_PID,
	SERVICE_PROCESS,
	SERVICE_USER,
	SERVICE_URL,
	SERVICE_CREATED,
	SERVICE_STATUS,
	_SERVICE_COLUMNS
};

static const char *const service_headings[_SERVICE_COLUMNS] = {
	[SERVICE_NAME] = "Service",    [SERVICE_PORT] = "Port",	    [SERVICE_PID] = "PID",
	[SERVICE_PROCESS] = "Process", [SERVICE_USER] = "User",	    [SERVICE_URL] = "URL",
	[SERVICE_CREATED] = "Created", [SERVICE_STATUS] = "Status",
};

/* Whose it is; "" for the caller's own, of which nobody has to be told. */
static const char *stranger(const struct find_view *v, struct json_object *row)
{
	const char *user = answer_text(row, "user");

	return strcmp(user, v->caller) == 0 ? "" : user;
}

/* What is worst of what the status alone does not say. */
static const char *mark_of(struct json_object *service)
{
	if (answer_bool(service, "unattended"))
		return " (unattended)";
	if (answer_bool(service, "stopped"))
		return " (stopped)";
	if (answer_bool(service, "protectionLost"))
		return " (protection lost)";
	return answer_bool(service, "protected") ? " (protected)" : "";
}

static void add_service(struct find_view *v, struct json_object *service)
{
	struct render_table *t = v->table;
	const char *status = answer_text(service, "status");
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE], url[SHOW_URL_SIZE], port[SHOW_PORT_SIZE];

	render_table_text(t, TONE_PLAIN, answer_text(service, "id"));
	render_table_text(t, TONE_PLAIN, show_port(service, port));
	render_table_text(t, TONE_PLAIN, answer_pids(service, "pids", pids, sizeof(pids)));
	render_table_text(t, TONE_PLAIN, answer_text(service, "process"));
	render_table_text(t, TONE_PLAIN, stranger(v, service));
	render_table_text(t, TONE_PLAIN, v->urls ? show_url(service, url) : "");
	render_table_text(t, TONE_DIM, show_ago(answer_int(service, "createdAt"), age));
	render_table_cell(t,
			  answer_bool(service, "stopped") || answer_bool(service, "protectionLost")
				  ? TONE_WARN
				  : show_status_tone(status),
			  "%s%s", status, mark_of(service));
	keep_warning(v, answer_text(service, "warning"));
}

void find_view_add_service(struct find_view *v, struct json_object *service)
{
	if (!*stranger(v, service)) {
		add_service(v, service);
		return;
	}
	v->others =
		render_must(reallocarray(v->others, v->n_others + 1, sizeof(struct json_object *)));
	v->others[v->n_others++] = json_object_get(service);
}

void find_view_add_orphan(struct find_view *v, struct json_object *orphan)
{
	orphan_rows_add(v->orphans, orphan, !*stranger(v, orphan));
	keep_warning(v, answer_text(orphan, "warning"));
}

static void add_orphans(const struct orphan_row *row, void *view)
{
	struct find_view *v = view;
	struct render_table *t = v->table;
	bool wide = !render_columns() || render_columns() >= WIDE_COLUMNS;
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_text(t, TONE_DIM, "(unclaimed)");
	if (row->n_ports > 1 && wide)
		render_table_cell(t, TONE_PLAIN, "%zu ports, %s", row->n_ports, row->ports);
	else
		render_table_text(t, TONE_PLAIN, row->ports);
	render_table_text(t, TONE_PLAIN, answer_pids(row->first, "pids", pids, sizeof(pids)));
	render_table_text(t, TONE_PLAIN, answer_text(row->first, "process"));
	render_table_text(t, TONE_PLAIN, stranger(v, row->first));
	render_table_text(t, TONE_PLAIN, "");
	render_table_text(t, TONE_DIM, show_ago(row->since, age));
	render_table_text(t, show_status_tone("orphan"), "orphan");
}

/* The caller's own were added as they came; behind them is what is others', or nobody's. */
static void add_what_waited(struct find_view *v)
{
	for (size_t i = 0; i < v->n_others; i++)
		add_service(v, v->others[i]);
	orphan_rows_for_each(v->orphans, add_orphans, v);
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
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE], port[SHOW_PORT_SIZE];

	render_table_text(t, TONE_PLAIN, answer_text(socket, "proto"));
	render_table_text(t, TONE_PLAIN, answer_text(socket, "addr"));
	render_table_text(t, TONE_PLAIN, show_port(socket, port));
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
static void set_narrow_columns(struct render_table *t, bool sockets, bool urls)
{
	if (sockets) {
		render_table_flexible(t, SOCKET_PROCESS, PROCESS_LEAST);
		render_table_flexible(t, SOCKET_SERVICE, NAME_LEAST);
		render_table_flexible(t, SOCKET_ADDRESS, ADDRESS_LEAST);
		render_table_droppable(t, SOCKET_SINCE, RENDER_DROP_EARLY);
		render_table_droppable(t, SOCKET_USER, RENDER_DROP_EARLY);
		render_table_droppable(t, SOCKET_PROTO, RENDER_DROP_EARLY);
		render_table_droppable(t, SOCKET_STATUS, RENDER_DROP_EARLY);
		render_table_droppable(t, SOCKET_NETNS, RENDER_DROP_LATE);
		render_table_droppable(t, SOCKET_PROCESS, RENDER_DROP_LATE);
		render_table_droppable(t, SOCKET_PID, RENDER_DROP_LATE);
	} else {
		render_table_flexible(t, SERVICE_PROCESS, PROCESS_LEAST);
		render_table_flexible(t, SERVICE_NAME, NAME_LEAST);
		render_table_flexible(t, SERVICE_PORT, PORTS_LEAST);
		render_table_droppable(t, SERVICE_CREATED, RENDER_DROP_EARLY);
		render_table_droppable(t, SERVICE_PROCESS, RENDER_DROP_EARLY);
		render_table_droppable(t, SERVICE_USER, RENDER_DROP_EARLY);
		render_table_droppable(t, SERVICE_PID, RENDER_DROP_LATE);
		if (urls) { /* which has the port, too */
			render_table_droppable(t, SERVICE_PORT, RENDER_DROP_LATE);
			render_table_droppable(t, SERVICE_STATUS, RENDER_DROP_LATE);
		}
	}
}

struct find_view *find_view_new(bool sockets, bool urls)
{
	struct find_view *v = render_must(calloc(1, sizeof(*v)));
	uid_t uid = geteuid();

	paths_sudo_user(&uid);
	snprintf(v->caller, sizeof(v->caller), "%s", user_name(uid));
	v->urls = urls;
	v->orphans = orphan_rows_new();
	if (sockets) {
		v->table = render_table_new(socket_headings, _SOCKET_COLUMNS);
		render_table_optional(v->table, SOCKET_NETNS);
	} else {
		v->table = render_table_new(service_headings, _SERVICE_COLUMNS);
		render_table_optional(v->table, SERVICE_USER);
		render_table_optional(v->table, SERVICE_URL);
	}
	set_narrow_columns(v->table, sockets, urls);
	return v;
}

void find_view_print(struct find_view *v)
{
	add_what_waited(v);
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
	for (size_t i = 0; i < v->n_others; i++)
		json_object_put(v->others[i]);
	free(v->others);
	orphan_rows_free(v->orphans);
	render_table_free(v->table);
	free(v);
}
