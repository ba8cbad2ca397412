/* SPDX-License-Identifier: MIT */
#include "view/run.h"

#include "base/run.h"
#include "base/user.h"
#include "http/json.h"
#include "http/written.h"
#include "inventory/inventory.h"
#include "registry/runs.h"
#include "runs/hardcoded.h"
#include "runs/protection.h"

#define PORTS_MAX 64 /* of a member that are shown */

static struct json_object *view_hardcoded(const struct run *run)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; run->has_rules && i < run->n_hardcoded; i++) {
		struct json_object *pair = json_append_object(list);

		json_add_int(pair, "askedPort", run->hardcoded[i].asked);
		json_add_int(pair, "port", run->hardcoded[i].port);
	}
	return list;
}

struct json_object *view_run(const struct run *run, const struct protection *protection,
			     const char *shown_id)
{
	struct json_object *o = json_object_new_object();
	char id[RUN_ID_SIZE], outer[RUN_ID_SIZE];

	json_add_text(o, "id", run_id_format(run->number, id));
	json_add_text(o, "service", shown_id);
	json_add_text(o, "state", run_state_name(run->state));
	json_add_known(o, "port", run->port);
	json_add_known(o, "askedPort", run_asked_port(run, run->port));
	json_add(o, "hardcoded", view_hardcoded(run));
	json_add_bool(o, "transparent", run->transparent);
	json_add_bool(o, "protected", run->port && protection_holds(protection, run->port));
	json_add_known(o, "since", run->since);
	json_add_known(o, "pid", run->pd.pid);
	json_add_int(o, "startTicks", (int64_t)run->pd.start_ticks);
	json_add_text(o, "outer", run->outer ? run_id_format(run->outer, outer) : NULL);
	json_add_text(o, "user", user_name(run->uid));
	json_add_int(o, "uid", run->uid);
	return o;
}

static int64_t port_at(const void *list, size_t i)
{
	return ((const uint16_t *)list)[i];
}

int view_run_member(struct written *w, const struct inventory *inv, const struct run_member *m)
{
	uint16_t ports[PORTS_MAX];
	char id[RUN_ID_SIZE];
	size_t n = inventory_served_ports(inv, &m->id, 0, ports, PORTS_MAX);

	written_object_begin(w);
	written_text(w, "run", run_id_format(m->run, id));
	written_int(w, "pid", m->id.pid);
	written_int(w, "startTicks", (int64_t)m->id.start_ticks);
	written_ints(w, "ports", n < PORTS_MAX ? n : PORTS_MAX, port_at, ports);
	return written_object_end(w);
}

struct json_object *view_hardcoded_port(const struct hardcoded_port *h)
{
	struct json_object *o = json_object_new_object();
	char id[RUN_ID_SIZE];

	json_add_int(o, "askedPort", h->asked);
	json_add_int(o, "port", h->port);
	json_add_text(o, "service", h->service);
	json_add_text(o, "run", run_id_format(h->run->number, id));
	return o;
}
