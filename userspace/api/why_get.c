/* SPDX-License-Identifier: MIT */
/* GET /v1/why: what is asked, and of whom. */
#include <errno.h>
#include <json-c/json_tokener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "api/routes.h"
#include "api/state.h"
#include "api/why.h"
#include "http/request.h"

#define REMEMBERED_S  60 /* "a moment ago": long enough to read an error and type a command */
#define PID_MAX_LIMIT (4 * 1024 * 1024) /* include/linux/threads.h */
#define REFUSALS_MAX  50		/* recorded refusals in one answer: a few kB each */

/* --- a question --- */

static int parse_flag(struct request *r, const char *name, bool *ret)
{
	const char *text = request_param(r, name);

	*ret = text && !strcmp(text, "1");
	if (text && !*ret && strcmp(text, "0") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST, "%s \"%.32s\" is neither 0 nor 1", name,
				    text);
	return 0;
}

/* A number from 1 (or 0 with `zero`) to max; *ret stays where it was not given. */
static int parse_number(struct request *r, const char *name, bool zero, uint32_t max, uint32_t *ret)
{
	const char *text = request_param(r, name);
	unsigned long long n;
	char *end;

	if (!text)
		return 0;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || n > max || (!n && !zero))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "%s \"%.32s\" is not a number from %d to %u", name, text,
				    zero ? 0 : 1, max);
	*ret = (uint32_t)n;
	return 0;
}

static int parse_address(struct request *r, struct why_question *q)
{
	const char *proto = request_param(r, "proto"), *addr = request_param(r, "addr");
	bool udp = proto && !strcmp(proto, "udp");

	if (proto && !udp && strcmp(proto, "tcp") != 0)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "proto \"%.32s\" is neither tcp nor udp", proto);
	*q = why_default_question(udp ? IPPROTO_UDP : IPPROTO_TCP, q->port);
	if (addr && net_addr_parse(addr, &q->family, &q->addr))
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "addr \"%.64s\" is not an address; write one like 127.0.0.1, "
				    "::1 or * for all",
				    addr);
	q->addr_named = addr && strcmp(addr, "*") != 0; /* what is asked by default */
	return 0;
}

static int parse_flags(struct request *r, struct why_question *q)
{
	int fault = parse_flag(r, "v6only", &q->v6only);

	if (!fault)
		fault = parse_flag(r, "reuseaddr", &q->reuseaddr);
	if (!fault)
		fault = parse_flag(r, "reuseport", &q->reuseport);
	if (!fault && q->v6only && q->family == AF_INET)
		fault = request_fail(r, OUTCOME_BAD_REQUEST,
				     "v6only is a flag of IPv6 sockets, and addr is an IPv4 "
				     "address; leave one of them out");
	q->uid = r->uid;
	/* (uid_t)-1 is nobody's */
	return fault ? fault : parse_number(r, "uid", true, UINT32_MAX - 1, &q->uid);
}

static int parse_place(struct request *r, struct why_facts *f)
{
	const char *netns = request_param(r, "netns"), *dev = request_param(r, "dev");
	char peer[16];
	int fault;

	/* not said: where the asker is, which may be a container */
	snprintf(peer, sizeof(peer), "%d", r->pid);
	fault = why_place_find(&r->api->explainer, netns || !r->pid ? netns : peer, &f->place);
	if (!netns && (fault || f->place.unreachable))
		fault = why_place_find(&r->api->explainer, NULL, &f->place);
	f->place.of_asker = !netns;

	if (fault == -ESRCH)
		return request_fail(r, OUTCOME_BAD_REQUEST, "there is no process %.32s", netns);
	if (fault == -EACCES)
		return request_fail(
			r, OUTCOME_NOT_ALLOWED,
			"the daemon may not look at /run/netns/%.64s; give the pid of a "
			"process in it",
			netns);
	if (fault == -ENOENT)
		return request_fail(
			r, OUTCOME_BAD_REQUEST,
			"there is no namespace \"%.64s\" in /run/netns; write its name, "
			"or the pid of a process in it",
			netns);
	if (fault || !dev)
		return fault;
	f->question.dev = why_place_device(&f->place, dev);
	return f->question.dev ? 0
			       : request_fail(r, OUTCOME_BAD_REQUEST,
					      "there is no interface \"%.32s\"", dev);
}

struct memory {
	const struct why_facts *f;
	int error;
	uint64_t cookie; /* of its network namespace; 0 = not known */
};

static bool remember(const struct failure *failure, void *user_data)
{
	struct memory *memory = user_data;
	_cleanup_json_ struct json_object *o = json_tokener_parse(failure->explanation);
	struct json_object *netns = NULL, *proto = NULL, *program = NULL, *cookie = NULL;

	if (!json_object_is_type(o, json_type_object) || failure->error != EADDRINUSE ||
	    memory->f->now - failure->at > REMEMBERED_S)
		return false;
	json_object_object_get_ex(o, "netns", &netns);
	json_object_object_get_ex(o, "proto", &proto);
	json_object_object_get_ex(o, "netnsCookie", &cookie);
	/* answered by a program: nothing was in the way of the port, and nothing is gone */
	if (json_object_object_get_ex(o, "program", &program) && program)
		return false;
	if (json_object_get_int64(netns) == memory->f->place.netns && proto &&
	    !strcmp(json_object_get_string(proto), net_protocol_name(memory->f->question.protocol)))
		memory->error = failure->error;
	memory->cookie = cookie ? strtoull(json_object_get_string(cookie), NULL, 10) : 0;
	return false;
}

/* Who asks about a refusal does not wait for its turn among all others. */
static size_t explain_waiting(struct request *r, const struct failure_filter *asked)
{
	return tracker_explain_waiting(r->api->config.tracker, asked);
}

/* Who asks right after a refusal wants to hear of that, also when the port is free by now. */
static int remember_refusal(struct request *r, struct why_facts *f)
{
	const struct failure_filter newest = { .uid = r->uid ? r->uid : PROCESS_UID_UNKNOWN,
					       .port = f->question.port,
					       .limit = 1 };
	struct memory memory = { .f = f };
	int fault;

	explain_waiting(r, &newest);
	fault = registry_for_each_failure(r->api->config.registry, &newest, remember, &memory);
	f->question.error = memory.error;
	f->remembered_place = memory.cookie;
	return fault;
}

static int ask(struct request *r, uint16_t port)
{
	_cleanup_(why_facts_deinit) struct why_facts f = {
		.question.port = port, .caller = r->pid, .viewer = r->uid, .now = r->now
	};
	static const char *const others[] = { "pid", "last" };
	int fault = parse_address(r, &f.question);

	for (size_t i = 0; !fault && i < ARRAY_SIZE(others); i++)
		if (request_param(r, others[i]))
			fault = request_fail(r, OUTCOME_BAD_REQUEST,
					     "%s asks for recorded refusals and takes no port",
					     others[i]);
	if (!fault)
		fault = parse_flags(r, &f.question);
	if (!fault)
		fault = parse_place(r, &f);
	if (!fault)
		fault = remember_refusal(r, &f);
	return fault ? fault : why_view_place(r->api, &f, r->answer);
}

/* --- recorded refusals --- */

struct recall {
	struct json_object *answer;
	struct json_object *refusals; /* NULL where only the newest is wanted */
	size_t n;
};

static bool add_refusal(const struct failure *failure, void *user_data)
{
	struct recall *recall = user_data;
	_cleanup_json_ struct json_object *o = json_tokener_parse(failure->explanation);

	/* a row that was edited by hand */
	if (!json_object_is_type(o, json_type_object))
		return true;
	if (!recall->n++)
		json_merge(recall->answer, o);
	if (recall->refusals)
		json_append(recall->refusals, json_object_get(o));
	return true;
}

static int none_recorded(struct request *r, uint32_t pid)
{
	const struct sentinel_report *report = r->api->explainer.report;
	char of[48] = "", lift[WHY_MISSING_SIZE], command[WHY_COMMAND_SIZE];

	if (report->mode == SENTINEL_MODE_POLL) {
		why_lift_obstacle(report, r->uid, lift, command);
		return request_fail(r, OUTCOME_NO,
				    "refusals are recorded by eBPF, without which this daemon runs "
				    "(%s); name the port: pd why PORT, or %s%s%s",
				    report->why_not_bpf, lift, *command ? ": " : "", command);
	}
	if (pid)
		snprintf(of, sizeof(of), " of process %u", pid);
	return request_fail(r, OUTCOME_NO,
			    "no refused bind or listen%s is recorded%s; run the failing command "
			    "again now that the daemon listens, then: pd why",
			    of, r->uid ? " for your user" : "");
}

static int recall(struct request *r)
{
	static const char *const others[] = { "proto",	   "addr", "v6only", "reuseaddr",
					      "reuseport", "dev",  "uid",    "netns" };
	struct recall recalled = { .answer = r->answer };
	uint32_t pid = 0, last = 1;
	struct failure_filter filter;
	size_t waiting;
	int fault = parse_number(r, "pid", false, PID_MAX_LIMIT, &pid);

	if (!fault)
		fault = parse_number(r, "last", false, REFUSALS_MAX, &last);
	for (size_t i = 0; !fault && i < ARRAY_SIZE(others); i++)
		if (request_param(r, others[i]))
			fault = request_fail(r, OUTCOME_BAD_REQUEST,
					     "%s needs a port to ask about: write port=3000",
					     others[i]);
	if (fault)
		return fault;
	filter = (struct failure_filter){ .uid = r->uid ? r->uid : PROCESS_UID_UNKNOWN,
					  .pid = (pid_t)pid,
					  .limit = last };
	if (request_param(r, "last"))
		recalled.refusals = json_object_new_array();
	waiting = explain_waiting(r, &filter);
	fault = registry_for_each_failure(r->api->config.registry, &filter, add_refusal, &recalled);
	if (recalled.refusals) {
		json_add(r->answer, "refusals", recalled.refusals);
		json_add_int(r->answer, "waiting", (int64_t)waiting);
	}
	if (!fault && !recalled.n)
		fault = none_recorded(r, pid);
	return fault;
}

int why_get(struct request *r)
{
	uint16_t port;
	int fault = request_param_port(r, "port", &port);

	if (fault)
		return fault;
	return port ? ask(r, port) : recall(r);
}
