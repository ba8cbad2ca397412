/* SPDX-License-Identifier: MIT */
/* GET /v1/why: what is asked, and of whom; without a port, refusals as they happened: pd why. */
#include <json-c/json_tokener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/routes.h"
#include "api/search.h"
#include "api/state.h"
#include "base/cleanup.h"
#include "explain/since.h"
#include "http/parse.h"
#include "http/parts.h"
#include "http/request.h"
#include "runs/hardcoded.h"
#include "runs/protection.h"
#include "view/run.h"
#include "view/why.h"

#define PID_MAX_LIMIT	  (4 * 1024 * 1024) /* include/linux/threads.h */
#define REFUSALS_MAX	  50		    /* recorded refusals in one answer: a few kB each */
#define EXPLAINED_AT_ONCE 10		    /* of those of a port that wait for their turn */

struct asked_address {
	bool given, named; /* named: not as "*", which is what is asked by default */
	uint8_t family;
	struct net_addr addr;
};

struct question {
	uint16_t port;
	uint16_t protocol; /* 0 = not given */
	struct asked_address addr;
	bool v6only, reuseaddr, reuseport;
	const char *dev;
	int64_t uid; /* -1 = not given */
	const char *netns;
	int64_t pid; /* 0 = of any */
	int64_t last;
};

static param_read read_protocol, read_address;

ROUTE(why_get, GET, "/v1/why", struct question, PARAM_PORT("port", struct question, port),
      PARAM_ROW("proto", read_protocol, struct question, protocol, uint16_t),
      PARAM_ROW("addr", read_address, struct question, addr, struct asked_address),
      PARAM_FLAG("v6only", struct question, v6only),
      PARAM_FLAG("reuseaddr", struct question, reuseaddr),
      PARAM_FLAG("reuseport", struct question, reuseport), PARAM_TEXT("dev", struct question, dev),
      /* (uid_t)-1 is nobody's */
      PARAM_NUMBER("uid", struct question, uid, .max = UINT32_MAX - 1, .otherwise = -1),
      PARAM_TEXT("netns", struct question, netns),
      PARAM_NUMBER("pid", struct question, pid, .min = 1, .max = PID_MAX_LIMIT),
      PARAM_NUMBER("last", struct question, last, .min = 1, .max = REFUSALS_MAX, .otherwise = 1));

/* --- a question --- */

static int read_protocol(struct request *r, const struct param *p, const struct param_value *value,
			 void *ret)
{
	bool udp = !strcmp(value->text, "udp");

	if (!udp && strcmp(value->text, "tcp") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "proto \"%.32s\" is neither tcp nor udp", value->text);
	*(uint16_t *)ret = udp ? IPPROTO_UDP : IPPROTO_TCP;
	return 0;
}

static int read_address(struct request *r, const struct param *p, const struct param_value *value,
			void *ret)
{
	struct asked_address *a = ret;

	if (net_addr_parse(value->text, &a->family, &a->addr))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "addr \"%.64s\" is not an address; write one like 127.0.0.1, "
				    "::1 or * for all",
				    value->text);
	a->given = true;
	a->named = strcmp(value->text, "*") != 0;
	return 0;
}

/* No name of the list may be given; `why` says so behind the name. */
static int check_not_given(struct request *r, const char *const *names, size_t n, const char *why)
{
	for (size_t i = 0; i < n; i++)
		if (parse_was_given(r, names[i]))
			return request_fail(r, OUTCOME_BAD_REQUEST, "%s %s", names[i], why);
	return 0;
}

static int fill_question(struct request *r, const struct question *asked, struct why_question *q)
{
	*q = why_default_question(asked->protocol ? asked->protocol : IPPROTO_TCP, asked->port);
	if (asked->addr.given) {
		q->family = asked->addr.family;
		q->addr = asked->addr.addr;
		q->addr_named = asked->addr.named;
	}
	q->v6only = asked->v6only;
	if (parse_was_given(r, "reuseaddr")) {
		q->reuseaddr = asked->reuseaddr;
		q->flags_assumed = false;
	}
	q->reuseport = asked->reuseport;
	q->uid = asked->uid < 0 ? r->uid : (uid_t)asked->uid;
	if (q->v6only && q->family == AF_INET)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "v6only is a flag of IPv6 sockets, and addr is an IPv4 "
				    "address; leave one of them out");
	return 0;
}

static int refuse_netns(struct request *r, const struct why_asked *asked, int outcome)
{
	switch (outcome) {
	case WHY_NO_PROCESS:
		return request_fail(r, OUTCOME_BAD_REQUEST, "there is no process %.32s",
				    asked->netns);
	case WHY_NETNS_SHUT:
		return request_fail(
			r, OUTCOME_NOT_ALLOWED,
			"the daemon may not look at /run/netns/%.64s; give the pid of a "
			"process in it",
			asked->netns);
	case WHY_NO_NETNS:
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"there is no namespace \"%.64s\" in /run/netns; write its name, "
			"or the pid of a process in it",
			asked->netns);
	default:
		return request_fail(r, OUTCOME_BAD_REQUEST, "there is no interface \"%.32s\"",
				    asked->dev);
	}
}

/* Who asks about a refusal does not wait for its turn among all others. */
static size_t explain_waiting(struct request *r, const struct refusal_filter *asked)
{
	return tracker_explain_waiting(r->api->config.tracker, asked);
}

/* All that is known first, then the words: each room is asked once. */
static int view(struct request *r, const struct why_asked *asked)
{
	struct api *api = r->api;
	_cleanup_(why_facts_deinit) struct why_facts f = { 0 };
	_cleanup_free_ struct hardcoded_port *hardcoded = NULL;
	struct json_object *list;
	size_t n = 0;
	int fault = hardcoded_find(api->config.registry, asked->question.port, r->uid,
				   request_user(r), &hardcoded, &n);

	fault = fault ?: explain_question(&api->explainer, asked, &f);
	if (fault)
		return fault > 0 ? refuse_netns(r, asked, fault) : fault;
	why_view(&f, r->answer);
	list = json_add_array(r->answer, "hardcoded");
	for (size_t i = 0; i < n; i++)
		json_append(list, view_hardcoded_port(&hardcoded[i]));
	return 0;
}

/* Who asks right after a refusal wants to hear of that, also when the port is free by now. */
static int ask(struct request *r, const struct question *q)
{
	static const char *const others[] = { "pid", "last" };
	const struct refusal_filter newest = { .uid = r->uid ? r->uid : PROCESS_UID_UNKNOWN,
					       .port = q->port,
					       .limit = EXPLAINED_AT_ONCE };
	struct why_asked asked = {
		.netns = q->netns,
		.dev = q->dev,
		.asker = r->pid,
		.viewer = r->uid,
		.now = r->now,
		.remembers = true,
	};
	int fault = check_not_given(r, others, ARRAY_SIZE(others),
				    "asks for recorded refusals and takes no port");

	fault = fault ?: fill_question(r, q, &asked.question);
	if (fault)
		return fault;
	explain_waiting(r, &newest);
	asked.question.is_protected = protection_refuses(r->api->protection, q->port, r->pid);
	return view(r, &asked);
}

/* --- recorded refusals --- */

struct recall {
	struct json_object *list; /* of why objects, newest first */
	struct process_id callers[REFUSALS_MAX];
	size_t n;
};

static bool keep_refusal(const struct refusal_record *failure, void *user_data)
{
	struct recall *recall = user_data;
	_cleanup_json_ struct json_object *o = json_tokener_parse(failure->explanation);

	/* a row that was edited by hand */
	if (!json_object_is_type(o, json_type_object))
		return true;
	recall->callers[recall->n++] = failure->caller;
	json_append(recall->list, json_object_get(o));
	return recall->n < REFUSALS_MAX;
}

/* Read from what was stored, asked anew, and written into it. */
static int bring_up_to_date(struct request *r, const struct process_id *caller,
			    struct json_object *o)
{
	_cleanup_(why_facts_deinit) struct why_facts f = { .caller = r->pid,
							   .viewer = r->uid,
							   .now = r->now };
	const struct why_holder *by;
	struct why_past past;
	enum why_since since;
	int fault;

	json_add(o, "since", NULL);
	if (!why_read_stored(o, caller, &past, &f))
		return 0;
	fault = explain_since(&r->api->explainer, &past, &f, &since, &by);
	if (!fault)
		why_view_since(since, by, &past, &f, o);
	return fault;
}

/* Behind the cursor, for each is explained anew. */
static int add_refusals(struct request *r, struct recall *recall, bool all)
{
	for (size_t i = 0; i < recall->n; i++) {
		struct json_object *o = json_object_array_get_idx(recall->list, i);
		int fault = bring_up_to_date(r, &recall->callers[i], o);

		if (fault)
			return fault;
		if (i == 0)
			json_merge(r->answer, o);
	}
	if (all)
		json_add(r->answer, "refusals", json_object_get(recall->list));
	return 0;
}

static int none_recorded(struct request *r, int64_t pid)
{
	const struct sentinel_report *report = r->api->explainer.report;
	const char *unseen = sentinel_trace_unseen(report->trace);
	char of[48] = "", lift[WHY_MISSING_SIZE], command[WHY_COMMAND_SIZE];

	if (report->mode == SENTINEL_MODE_POLL) {
		why_lift_obstacle(report, r->uid, lift, command);
		return request_fail(r, OUTCOME_NO,
				    "refusals are recorded by eBPF, without which this daemon runs "
				    "(%s); name the port: pd why PORT, or %s%s%s",
				    report->why_not_bpf, lift, *command ? ": " : "", command);
	}
	if (report->trace == SENTINEL_TRACE_HOOKS)
		return request_fail(
			r, OUTCOME_NO,
			"refusals are not recorded, for this daemon was started with "
			"--trace hooks; name the port: pd why PORT, or start it without");
	if (pid)
		snprintf(of, sizeof(of), " of process %d", (int)pid);
	return request_fail(r, OUTCOME_NO,
			    "no refused bind or listen%s is recorded%s; run the failing command "
			    "again now that the daemon listens, then: pd why%s%s%s",
			    of, r->uid ? " for your user" : "", *unseen ? " (not seen: " : "",
			    unseen, *unseen ? ")" : "");
}

static int recall(struct request *r, const struct question *asked)
{
	static const char *const others[] = { "proto",	   "addr", "v6only", "reuseaddr",
					      "reuseport", "dev",  "uid",    "netns" };
	const struct refusal_filter filter = { .uid = r->uid ? r->uid : PROCESS_UID_UNKNOWN,
					       .pid = (pid_t)asked->pid,
					       .limit = asked->last };
	_cleanup_json_ struct json_object *list = json_object_new_array();
	struct recall recalled = { .list = list };
	bool all = parse_was_given(r, "last");
	size_t waiting;
	int fault = check_not_given(r, others, ARRAY_SIZE(others),
				    "needs a port to ask about: write port=3000");

	if (fault)
		return fault;
	waiting = explain_waiting(r, &filter);
	fault = registry_for_each_refusal(r->api->config.registry, &filter, keep_refusal,
					  &recalled);
	fault = fault ?: add_refusals(r, &recalled, all);
	if (all)
		json_add_int(r->answer, "waiting", (int64_t)waiting);
	if (!fault && !recalled.n)
		fault = none_recorded(r, asked->pid);
	return fault;
}

static int search(struct request *r, bool *ret_more)
{
	const struct question *asked = r->params;

	return asked->port ? search_port(r, asked->port, ret_more) : 0;
}

static int answer(struct request *r, int error)
{
	const struct question *asked = r->params;

	return error ? error : asked->port ? ask(r, asked) : recall(r, asked);
}

static int handle(struct request *r)
{
	static const struct parts_calls calls = { search, answer };

	return parts_run(r, &calls);
}
