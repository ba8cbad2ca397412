/* SPDX-License-Identifier: MIT */
/* Refusals that no owner of the port explains: the errno comes from elsewhere. */
#include <errno.h>

#include "reconcile/why_parts.h"

#include "base/cleanup.h"

static bool is_link_local(const struct why_question *q)
{
	return q->family == AF_INET6 && q->addr.bytes[0] == 0xfe &&
	       (q->addr.bytes[1] & 0xc0) == 0x80;
}

/* Faults of the address itself (__inet6_bind). */
static enum why_verdict name_malformed(const struct why_question *q)
{
	if (q->v6only && net_addr_is_mapped(q->family, &q->addr))
		return WHY_V6ONLY_MAPPED;
	return is_link_local(q) && !q->dev ? WHY_LINKLOCAL_NO_SCOPE : WHY_FREE;
}

/* WHY_FREE when the address is there, or nobody knows. */
static enum why_verdict name_address(const struct why_question *q, const struct why_environment *e)
{
	static const enum why_verdict verdicts[] = {
		[ADDRESS_UNKNOWN] = WHY_FREE,
		[ADDRESS_LOCAL] = WHY_FREE,
		[ADDRESS_NONLOCAL] = WHY_NONLOCAL_ADDRESS,
		[ADDRESS_TENTATIVE] = WHY_V6_TENTATIVE,
		[ADDRESS_DADFAILED] = WHY_V6_DADFAILED,
		[ADDRESS_LINK_DOWN] = WHY_V6_LINK_DOWN,
	};
	bool ipv4 = net_addr_is_ipv4(q->family, &q->addr);
	enum why_verdict verdict;

	if ((size_t)e->address >= ARRAY_SIZE(verdicts))
		return WHY_FREE;
	verdict = verdicts[e->address];
	if (verdict == WHY_FREE)
		return WHY_FREE;
	if (ipv4) /* which has no such states: a link that is down keeps its addresses */
		return WHY_NONLOCAL_ADDRESS;
	return verdict == WHY_NONLOCAL_ADDRESS && e->ipv6_disabled ? WHY_IPV6_DISABLED : verdict;
}

static bool is_privileged(const struct why_question *q, const struct why_environment *e)
{
	return q->port && q->port < e->unprivileged_port_start && !e->caller_may_bind_low;
}

static enum why_verdict name_privileged(const struct why_environment *e)
{
	return e->caller_in_own_userns ? WHY_PRIVILEGED_PORT_USERNS : WHY_PRIVILEGED_PORT;
}

enum why_verdict why_name_program(const struct why_question *q)
{
	if (q->no_entry)
		return WHY_FREE;
	if (q->stage == EVENT_STAGE_PROTECTED)
		return WHY_PROTECTED;
	if (q->stage == EVENT_STAGE_DENIED)
		return q->error == EPERM ? WHY_DENIED_BY_CGROUP_BPF : WHY_FAKED_BY_CGROUP_BPF;
	if (q->stage == EVENT_STAGE_BOUND)
		return q->error == EPERM ? WHY_DENIED_BY_CGROUP_POST_BIND : WHY_FAKED_BY_CGROUP_BPF;
	return WHY_FREE;
}

/* bpf_set_retval(): a program may answer with any errno. */
static enum why_verdict name_faked(const struct why_environment *e)
{
	return e->cgroup_bind_program ? WHY_FAKED_BY_CGROUP_BPF : WHY_UNKNOWN;
}

/* --- by errno ------------------------------------------------------------------------------- */

static enum why_verdict name_eaddrinuse(const struct why_question *q,
					const struct why_environment *e)
{
	if (!q->port)
		return WHY_EPHEMERAL_EXHAUSTED;
	return name_faked(e);
}

static enum why_verdict name_eaddrnotavail(const struct why_question *q,
					   const struct why_environment *e)
{
	enum why_verdict verdict = name_address(q, e);

	if (verdict != WHY_FREE)
		return verdict;
	if (q->family == AF_INET6 && e->ipv6_disabled && !net_addr_is_mapped(AF_INET6, &q->addr))
		return WHY_IPV6_DISABLED;
	verdict = name_faked(e);
	/* bind() has no other reason for it; the address may have come since */
	return verdict == WHY_UNKNOWN ? WHY_NONLOCAL_ADDRESS : verdict;
}

static enum why_verdict name_eacces(const struct why_question *q, const struct why_environment *e)
{
	enum why_verdict verdict;

	/* behind the cgroups' programs nothing else answers EACCES, before them this does not */
	if (q->stage == EVENT_STAGE_PASSED ||
	    (q->stage == EVENT_STAGE_UNKNOWN && is_privileged(q, e)))
		return name_privileged(e);
	if (e->caller_has_landlock && q->protocol != IPPROTO_UDP) /* it knows TCP alone */
		return WHY_DENIED_BY_LANDLOCK;
	verdict = name_faked(e);
	return verdict == WHY_UNKNOWN ? WHY_DENIED_BY_LSM : verdict;
}

static enum why_verdict name_eperm(const struct why_question *q, const struct why_environment *e)
{
	/* PASSED: by a program that runs behind those that saw it, for the kernel's own rules never
	 * answer EPERM */
	if (q->stage == EVENT_STAGE_PASSED ||
	    (q->stage == EVENT_STAGE_UNKNOWN && e->cgroup_bind_program))
		return WHY_DENIED_BY_CGROUP_BPF;
	return WHY_DENIED_BY_LSM;
}

static enum why_verdict name_einval(const struct why_question *q, const struct why_environment *e)
{
	enum why_verdict verdict;

	if (q->call == EVENT_CALL_LISTEN)
		return WHY_UNKNOWN;
	if (q->bound_port)
		return WHY_ALREADY_BOUND;
	verdict = name_malformed(q);
	return verdict == WHY_FREE ? name_faked(e) : verdict;
}

static enum why_verdict name_enodev(const struct why_question *q, const struct why_environment *e)
{
	return WHY_BAD_SCOPE;
}

/* The kernel's own answers to calls that were wrong in themselves. */
static enum why_verdict name_nothing(const struct why_question *q, const struct why_environment *e)
{
	return WHY_UNKNOWN;
}

static const struct {
	int error;
	enum why_verdict (*name)(const struct why_question *q, const struct why_environment *e);
} errors[] = {
	{ EADDRINUSE, name_eaddrinuse }, { EADDRNOTAVAIL, name_eaddrnotavail },
	{ EACCES, name_eacces },	 { EPERM, name_eperm },
	{ EINVAL, name_einval },	 { ENODEV, name_enodev },
	{ EAFNOSUPPORT, name_nothing },	 { EBADF, name_nothing },
	{ EBUSY, name_nothing },	 { EDESTADDRREQ, name_nothing },
	{ EFAULT, name_nothing },	 { ENOMEM, name_nothing },
	{ ENOTSOCK, name_nothing },	 { EOPNOTSUPP, name_nothing },
};

enum why_verdict why_name_refusal(const struct why_question *q, const struct why_environment *e)
{
	if (q->no_entry)
		return WHY_INTERCEPTED_BY_SECCOMP;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (errors[i].error == q->error)
			return errors[i].name(q, e);
	return name_faked(e);
}

enum why_verdict why_foresee_address(const struct why_question *q, const struct why_environment *e,
				     int *ret_error)
{
	enum why_verdict verdict = name_malformed(q);

	*ret_error = EINVAL;
	if (verdict != WHY_FREE)
		return verdict;
	*ret_error = EADDRNOTAVAIL;
	return net_addr_is_any(q->family, &q->addr) ? WHY_FREE : name_address(q, e);
}

enum why_verdict why_foresee_rights(const struct why_question *q, const struct why_environment *e,
				    int *ret_error)
{
	*ret_error = EADDRINUSE;
	if (q->is_protected)
		return WHY_PROTECTED;
	*ret_error = EACCES;
	return is_privileged(q, e) ? name_privileged(e) : WHY_FREE;
}
