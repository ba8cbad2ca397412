/* SPDX-License-Identifier: MIT */
#include "cli/find_view.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/answer.h"
#include "cli/render.h"
#include "cli/show.h"

#define PIDS_SIZE 64

/* --- services --- */

enum { SERVICE_NAME, SERVICE_PORT, SERVICE_PID, SERVICE_PROCESS, SERVICE_CREATED, SERVICE_STATUS };

static const char *const service_headings[] = {
	[SERVICE_NAME] = "Service",    [SERVICE_PORT] = "Port",	      [SERVICE_PID] = "PID",
	[SERVICE_PROCESS] = "Process", [SERVICE_CREATED] = "Created", [SERVICE_STATUS] = "Status",
};

static void add_service(struct render_table *t, struct json_object *service)
{
	const char *status = answer_text(service, "status");
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_cell(t, TONE_PLAIN, "%s", answer_text(service, "id"));
	render_table_cell(t, TONE_PLAIN, "%d", (int)answer_int(service, "port"));
	render_table_cell(t, TONE_PLAIN, "%s", answer_pids(service, "pids", pids, sizeof(pids)));
	render_table_cell(t, TONE_PLAIN, "%s", answer_text(service, "process"));
	render_table_cell(t, TONE_DIM, "%s", show_ago(answer_int(service, "createdAt"), age));
	render_table_cell(t, show_status_tone(status), "%s", status);
}

static void add_orphan(struct render_table *t, struct json_object *orphan)
{
	const char *proto = answer_text(orphan, "proto");
	bool tcp = strcmp(proto, "udp") != 0;
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_cell(t, TONE_DIM, "(unclaimed)");
	render_table_cell(t, TONE_PLAIN, "%d%s", (int)answer_int(orphan, "port"),
			  tcp ? "" : "/udp");
	render_table_cell(t, TONE_PLAIN, "%s", answer_pids(orphan, "pids", pids, sizeof(pids)));
	render_table_cell(t, TONE_PLAIN, "%s", answer_text(orphan, "process"));
	render_table_cell(t, TONE_DIM, "%s", show_ago(answer_int(orphan, "since"), age));
	render_table_cell(t, show_status_tone("orphan"), "orphan");
}

/* Two servers that split a port's families are two rows with one warning: said once. */
static void show_warnings(struct json_object *list, const char **last)
{
	for (size_t i = 0; i < answer_length(list); i++) {
		const char *warning = answer_text(answer_at(list, i), "warning");

		if (!*warning || strcmp(warning, *last) == 0)
			continue;
		render_note("warning: %s", warning);
		*last = warning;
	}
}

void find_view_services(struct json_object *services, struct json_object *orphans)
{
	const char *last = "";
	struct render_table *t = render_table_new(service_headings, ARRAY_SIZE(service_headings));

	render_table_flexible(t, SERVICE_PROCESS);
	render_table_flexible(t, SERVICE_NAME);
	for (size_t i = 0; i < answer_length(services); i++)
		add_service(t, answer_at(services, i));
	for (size_t i = 0; i < answer_length(orphans); i++)
		add_orphan(t, answer_at(orphans, i));
	render_table_print(t);
	show_warnings(services, &last);
	show_warnings(orphans, &last);
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

static void add_socket(struct render_table *t, struct json_object *row, bool with_netns)
{
	const char *status = socket_status(row);
	char pids[PIDS_SIZE], age[SHOW_AGE_SIZE];

	render_table_cell(t, TONE_PLAIN, "%s", answer_text(row, "proto"));
	render_table_cell(t, TONE_PLAIN, "%s", answer_text(row, "addr"));
	render_table_cell(t, TONE_PLAIN, "%d", (int)answer_int(row, "port"));
	render_table_cell(t, TONE_PLAIN, "%s", answer_pids(row, "pids", pids, sizeof(pids)));
	render_table_cell(t, TONE_PLAIN, "%s", answer_text(row, "process"));
	render_table_cell(t, TONE_PLAIN, "%s", answer_text(row, "user"));
	render_table_cell(t, TONE_DIM, "%s", show_ago(answer_int(row, "since"), age));
	render_table_cell(t, TONE_PLAIN, "%s", answer_text(row, "service"));
	render_table_cell(t, show_status_tone(status), "%s", status);
	if (!with_netns)
		return;
	if (answer_bool(row, "ownNetns"))
		render_table_cell(t, TONE_DIM, "%s", "");
	else
		render_table_cell(t, TONE_WARN, "net:[%lld]", (long long)answer_int(row, "netns"));
}

/* The column of namespaces appears where there is more than ours. */
static bool any_other_netns(struct json_object *sockets)
{
	for (size_t i = 0; i < answer_length(sockets); i++)
		if (!answer_bool(answer_at(sockets, i), "ownNetns"))
			return true;
	return false;
}

void find_view_sockets(struct json_object *sockets)
{
	bool with_netns = any_other_netns(sockets);
	struct render_table *t = render_table_new(socket_headings,
						  with_netns ? _SOCKET_COLUMNS : SOCKET_NETNS);

	render_table_flexible(t, SOCKET_PROCESS);
	render_table_flexible(t, SOCKET_SERVICE);
	for (size_t i = 0; i < answer_length(sockets); i++)
		add_socket(t, answer_at(sockets, i), with_netns);
	render_table_print(t);
}
