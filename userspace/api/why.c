/* SPDX-License-Identifier: MIT */
#include "api/why.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "api/request.h"
#include "api/routes.h"
#include "api/server.h"
#include "api/services.h"

#define FAILURES_SEARCHED 500 /* newest refusals of all ports that are looked through */
#define FAILURES_SHOWN	  10
#define EPHEMERAL_RANGE	  "/proc/sys/net/ipv4/ip_local_port_range"

struct why_question why_default_question(uint16_t protocol, uint16_t port)
{
	/* "::" without V6ONLY is what most servers ask for: every address of both families */
	return (struct why_question){ .protocol = protocol, .family = AF_INET6, .port = port };
}

static bool is_ephemeral(uint16_t port)
{
	_cleanup_file_ FILE *file = fopen(EPHEMERAL_RANGE, "re");
	unsigned first, last;

	return file && fscanf(file, "%u %u", &first, &last) == 2 && port >= first && port <= last;
}

/* --- failures --- */

struct failure_search {
	uint16_t port;
	int shown;
	struct json_object *array;
};

/*
 * The address is in the text alone: "bind 0.0.0.0:3000: EADDRINUSE; …", IPv6 in brackets.  A text
 * that does not begin like that gives neither call nor address.
 */
static void add_call(struct json_object *o, const struct activity *entry)
{
	char call[8] = "", addr[NET_ADDR_STR_SIZE] = "";
	bool known = sscanf(entry->details, "%7[a-z] [%45[0-9a-fA-F:.]]:", call, addr) == 2 ||
		     sscanf(entry->details, "%7[a-z] %45[0-9.]:", call, addr) == 2;

	known = known && (!strcmp(call, "bind") || !strcmp(call, "listen"));
	json_add_text(o, "addr", known ? addr : NULL);
	json_add_text(o, "call", known ? call : NULL);
}

static bool add_failure(const struct activity *entry, void *user_data)
{
	struct failure_search *search = user_data;
	struct json_object *o;

	if (entry->port != search->port)
		return true;
	o = json_object_new_object();
	json_add_int(o, "at", entry->timestamp);
	json_add_known(o, "pid", entry->pid);
	json_add_text(o, "comm", entry->comm);
	json_add_text(o, "errno", entry->error ? net_errno_name(entry->error) : NULL);
	add_call(o, entry);
	json_add_text(o, "details", entry->details);
	json_append(search->array, o);
	return ++search->shown < FAILURES_SHOWN;
}

static int add_failures(struct api *api, uint16_t port, struct json_object *o)
{
	const struct activity_filter filter = { .action = ACTIVITY_FAIL,
						.limit = FAILURES_SEARCHED };
	struct failure_search search = { .port = port, .array = json_add_array(o, "failures") };

	return registry_for_each_activity(api->config.registry, &filter, add_failure, &search);
}

/* --- facts --- */

struct facts {
	struct why_answer answer;
	struct socket_row *here;	       /* owned: all owners of the port now */
	const struct socket_row **elsewhere;   /* owned array: the same port in other namespaces */
	struct holding *holdings;	       /* owned */
	const struct socket_row *const *shown; /* blocking ones, or those elsewhere */
	size_t n_here, n_elsewhere, n_holdings, n_shown;
	struct service_list claim;
};

static void facts_deinit(struct facts *f)
{
	free(f->here);
	free(f->elsewhere);
	free(f->holdings);
	service_list_free(&f->claim);
}

/* Leaves the rows of other namespaces and of the question's protocol (MPTCP listens as TCP). */
static void keep_elsewhere(struct facts *f, uint32_t own, uint16_t protocol)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n_elsewhere; i++) {
		const struct socket_row *row = f->elsewhere[i];
		bool same = (row->protocol == IPPROTO_UDP) == (protocol == IPPROTO_UDP);

		if (row->netns != own && same)
			f->elsewhere[kept++] = row;
	}
	f->n_elsewhere = kept;
}

static void choose_shown(struct facts *f)
{
	bool there = f->answer.verdict == WHY_OTHER_NETNS;

	f->shown = there ? f->elsewhere : f->answer.blocking;
	f->n_shown = there ? f->n_elsewhere : f->answer.n_blocking;
	if (f->n_shown > WHY_BLOCKING_MAX)
		f->n_shown = WHY_BLOCKING_MAX;
}

static int gather(struct api *api, const struct why_question *q, struct facts *f)
{
	struct inventory *inv = api->config.inventory;
	/* looks at the holders of all namespaces, so the query below finds them alive */
	int r = view_rows_of_port(inv, 0, q->port, &f->elsewhere, &f->n_elsewhere);

	if (!r)
		r = inventory_query_port(inv, q->protocol, q->port, &f->here, &f->n_here);
	if (r)
		return r;
	/* the query may have changed the table: rows are borrowed until then only */
	free(f->elsewhere);
	f->n_elsewhere = inventory_by_port(inv, 0, q->port, &(const struct socket_row *){ 0 }, 1);
	f->elsewhere = calloc(f->n_elsewhere + 1, sizeof(struct socket_row *));
	if (!f->elsewhere)
		return -ENOMEM;
	inventory_by_port(inv, 0, q->port, f->elsewhere, f->n_elsewhere);
	keep_elsewhere(f, inventory_own_netns(inv), q->protocol);
	why_explain(q, f->here, f->n_here, f->elsewhere, f->n_elsewhere, is_ephemeral(q->port),
		    &f->answer);
	choose_shown(f);
	r = view_holdings(f->shown, f->n_shown, false, &f->holdings, &f->n_holdings);
	if (!r)
		r = registry_service_by_port(api->config.registry, q->port, service_list_add,
					     &f->claim);
	if (r == OUTCOME_NO)
		r = 0;
	return !r && f->claim.no_memory ? -ENOMEM : r;
}

/* --- the object --- */

static void add_asked(struct json_object *o, const struct why_question *q)
{
	struct json_object *asked = json_add_object(o, "asked");
	char addr[NET_ADDR_STR_SIZE];

	json_add_text(asked, "call", "bind");
	json_add_text(asked, "addr", net_addr_format(q->family, &q->addr, addr));
	json_add_int(asked, "port", q->port);
	json_add(asked, "pid", NULL);
	json_add(asked, "comm", NULL);
	json_add(asked, "at", NULL);
}

static void add_sockets(struct json_object *o, const struct why_facts *f)
{
	struct json_object *sockets = json_add_array(o, "sockets");
	struct json_object *holders = json_add_array(o, "holders");
	bool complete = f->answer->verdict != WHY_UNKNOWN;

	for (size_t i = 0; i < f->n_shown; i++) {
		const struct socket_row *row = f->shown[i];

		json_append(sockets, view_socket(f->inv, row));
		/* nobody refers to a TIME_WAIT remainder: there is nothing to account for */
		complete = complete && (row->complete || row->state == SOCKET_TIME_WAIT);
	}
	for (size_t i = 0; i < f->n_holdings; i++)
		json_append(holders, view_holder(f->inv, &f->holdings[i], f->viewer));
	json_add_bool(o, "complete", complete);
}

static void add_verdict(struct json_object *o, const struct why_facts *f)
{
	char summary[WHY_SUMMARY_SIZE];

	why_summarize(f, summary);
	json_add_int(o, "port", f->question->port);
	json_add_text(o, "proto", net_protocol_name(f->question->protocol));
	json_add_bool(o, "free", f->answer->free);
	json_add_text(o, "verdict", why_verdict_name(f->answer->verdict));
	json_add_text(o, "summary", summary);
	json_add_text(o, "rule", f->answer->rule);
	json_add_text(o, "errno", f->answer->error ? net_errno_name(f->answer->error) : NULL);
	json_add_text(o, "service", f->claim);
}

int why_view(struct api *api, const struct why_question *question, uid_t viewer, int64_t now,
	     struct json_object *o)
{
	_cleanup_(facts_deinit) struct facts facts = { 0 };
	struct why_facts f = { .inv = api->config.inventory,
			       .question = question,
			       .answer = &facts.answer,
			       .viewer = viewer,
			       .now = now };
	int r = gather(api, question, &facts);

	if (r)
		return r;
	f.shown = facts.shown;
	f.n_shown = facts.n_shown;
	f.holdings = facts.holdings;
	f.n_holdings = facts.n_holdings;
	f.claim = facts.claim.n ? facts.claim.services[0].id : NULL;
	add_verdict(o, &f);
	add_sockets(o, &f);
	add_asked(o, question);
	why_add_remedies(&f, json_add_array(o, "remedies"));
	return add_failures(api, question->port, o);
}

/* --- GET /v1/why --- */

static int parse_flag(struct request *r, const char *name, bool *ret)
{
	const char *text = request_param(r, name);

	*ret = text && !strcmp(text, "1");
	if (text && !*ret && strcmp(text, "0") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST, "%s \"%.32s\" is neither 0 nor 1", name,
				    text);
	return 0;
}

static int parse(struct request *r, struct why_question *ret)
{
	const char *proto = request_param(r, "proto"), *addr = request_param(r, "addr");
	bool udp = proto && !strcmp(proto, "udp");
	uint16_t port;
	int fault = request_param_port(r, "port", &port);

	if (fault)
		return fault;
	if (!port)
		return request_fail(r, OUTCOME_BAD_REQUEST, "which port? write port=3000");
	if (proto && !udp && strcmp(proto, "tcp") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "proto \"%.32s\" is neither tcp nor udp", proto);
	*ret = why_default_question(udp ? IPPROTO_UDP : IPPROTO_TCP, port);
	if (addr && net_addr_parse(addr, &ret->family, &ret->addr))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "addr \"%.64s\" is not an address; write one like 127.0.0.1, "
				    "::1 or * for all",
				    addr);
	return parse_flag(r, "v6only", &ret->v6only);
}

int why_get(struct request *r)
{
	struct why_question question;
	int fault = parse(r, &question);

	return fault ? fault : why_view(r->api, &question, r->uid, r->now, r->answer);
}
