/* SPDX-License-Identifier: MIT */
#include "explain/environment.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/landlock.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/procfs.h"
#include "base/reserved.h"
#include "explain/process.h"
#include "reconcile/address.h"

/* What a new namespace has (inet_net_init, ip_unprivileged_port_start): without eBPF the sysctls of
 * another one cannot be read from here. */
#define EPHEMERAL_FIRST	   32768
#define EPHEMERAL_LAST	   60999
#define UNPRIVILEGED_START 1024
#define TABLE_BYTES	   (1024 * 1024) /* of fib_trie: some 10,000 routes */
#define NAME_BYTES	   64

/* --- files --- */

static FILE *open_net(const struct why_facts *f, const char *name)
{
	char path[NAME_BYTES];

	if (f->netns.pid)
		snprintf(path, sizeof(path), "/proc/%d/net/%s", f->netns.pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/net/%s", name);
	return fopen(path, "re");
}

/* The whole file as text, the caller's to free; NULL when it cannot be read. */
static char *read_net(const struct why_facts *f, const char *name)
{
	_cleanup_file_ FILE *file = open_net(f, name);
	char *text = file ? calloc(1, TABLE_BYTES) : NULL;

	if (text)
		text[fread(text, 1, TABLE_BYTES - 1, file)] = '\0';
	return text;
}

static unsigned read_sysctl(const char *name, unsigned otherwise, unsigned *ret_second)
{
	char path[96];
	unsigned first = otherwise, second = ret_second ? *ret_second : 0;
	_cleanup_file_ FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%u %u", &first, &second) < (ret_second ? 2 : 1))
		return otherwise;
	if (ret_second)
		*ret_second = second;
	return first;
}

/* --- addresses --- */

/* ip_nonlocal_bind */
static bool takes_any_address(const struct why_facts *f, bool v6)
{
	if (f->netns.settings.known)
		return v6 ? f->netns.settings.nonlocal_ipv6 : f->netns.settings.nonlocal_ipv4;
	return f->netns.own &&
	       read_sysctl(v6 ? "ipv6/ip_nonlocal_bind" : "ipv4/ip_nonlocal_bind", 0, NULL);
}

static enum why_address_state state_of_v6(const struct why_facts *f, bool *ret_disabled)
{
	_cleanup_free_ char *inet6 = read_net(f, "if_inet6"), *igmp = read_net(f, "igmp");
	_cleanup_free_ char *devices = read_net(f, "dev");

	return address_v6(&(struct address_tables){ inet6, igmp, devices }, &f->question.addr,
			  ret_disabled);
}

static void read_address(const struct why_facts *f, struct why_environment *ret)
{
	const struct why_question *q = &f->question;
	bool mapped = net_addr_is_mapped(q->family, &q->addr);
	_cleanup_free_ char *trie = NULL;

	ret->address = ADDRESS_LOCAL;
	if (net_addr_is_wildcard(q->family, &q->addr) || f->netns.unreachable)
		return;
	if (q->family == AF_INET6 && !mapped) {
		ret->address = state_of_v6(f, &ret->ipv6_disabled);
		if (takes_any_address(f, true))
			ret->address = ADDRESS_LOCAL;
		return;
	}
	trie = read_net(f, "fib_trie");
	ret->address = trie ? address_in_fib_trie(trie, q->addr.bytes + (mapped ? 12 : 0))
			    : ADDRESS_UNKNOWN;
	if (takes_any_address(f, false))
		ret->address = ADDRESS_LOCAL;
}

bool why_environment_read_reserved(const struct why_facts *f, char *ret, size_t size)
{
	struct sysctl_file file = { .fd = -1 };
	bool fits = f->netns.own && sysctl_file_read(&file, RESERVED_LIST_PATH) &&
		    strlen(file.text) < size;

	snprintf(ret, size, "%s", fits ? file.text : "");
	ret[strcspn(ret, "\n")] = '\0';
	sysctl_file_deinit(&file);
	return fits;
}

/* --- the caller --- */

/* Of a refusal: as they were then, for who was refused is gone soon.  False: not known. */
static bool know_rights(const struct why_facts *f, struct process_rights *ret)
{
	*ret = f->caller_rights;
	return ret->known || (f->caller && why_process_rights(f->caller, ret) == 0);
}

static void read_rights(const struct why_facts *f, struct why_environment *ret)
{
	struct process_rights rights;
	/* somebody else's rights are asked about: --uid */
	bool himself = f->caller && (f->question.caller.pid || f->question.uid == f->viewer);

	if (!himself || !know_rights(f, &rights)) {
		ret->caller_may_bind_low = f->question.uid == 0;
		return;
	}
	/* a network namespace that was made together with a user namespace belongs to that one;
	 * where the caller was refused all the same, it does not */
	ret->caller_in_own_userns = rights.own_userns &&
				    (f->netns.own || f->question.error == EACCES);
	ret->caller_may_bind_low = rights.may_bind_low && !ret->caller_in_own_userns;
	ret->caller_has_seccomp = rights.seccomp;
}

void why_environment_read(const struct why_facts *f, struct why_environment *ret)
{
	unsigned last = EPHEMERAL_LAST, first = EPHEMERAL_FIRST, start = UNPRIVILEGED_START;

	*ret = (struct why_environment){ .address = ADDRESS_UNKNOWN };
	if (f->netns.settings.known) {
		first = f->netns.settings.ephemeral_first;
		last = f->netns.settings.ephemeral_last;
		start = f->netns.settings.unprivileged_start;
	} else if (f->netns.own) {
		first = read_sysctl("ipv4/ip_local_port_range", EPHEMERAL_FIRST, &last);
		start = read_sysctl("ipv4/ip_unprivileged_port_start", UNPRIVILEGED_START, NULL);
	}
	ret->ephemeral_first = (uint16_t)first;
	ret->ephemeral_last = (uint16_t)last;
	/* 65536 is legal and says that every port is privileged */
	ret->unprivileged_port_start = start > UINT16_MAX ? UINT16_MAX : (uint16_t)start;
	read_address(f, ret);
	read_rights(f, ret);
}

/* The security modules of the kernel; "" where none has had its file system mounted. */
static void read_modules(char *ret, size_t size)
{
	_cleanup_file_ FILE *file = fopen("/sys/kernel/security/lsm", "re");

	ret[0] = '\0';
	if (file && !fgets(ret, (int)size, file))
		ret[0] = '\0';
}

/* It knows ports since version 4 of its interface. */
static bool landlock_knows_ports(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) >= 4;
}

/*
 * Landlock leaves no trace that others may read.  By exclusion: the kernel has it, the process
 * could install it, and no other module that refuses binds is there.  Those that take a policy need
 * their file system for it.
 */
static bool only_landlock_is_left(const struct why_facts *f, const char *modules)
{
	static const char *const others[] = { "selinux", "apparmor", "smack", "tomoyo", "bpf" };
	struct process_rights rights;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strstr(modules, others[i]))
			return false;
	return landlock_knows_ports() && know_rights(f, &rights) &&
	       (rights.no_new_privs || rights.may_admin);
}

void why_environment_read_rest(const struct why_facts *f, struct why_environment *ret)
{
	char modules[256];

	read_modules(modules, sizeof(modules));
	ret->caller_has_landlock = only_landlock_is_left(f, modules);
	/* BPF programs may not be listed without privilege.  By exclusion again: bind() itself
	 * never answers EPERM, a program on the cgroup does unless it chooses another errno. */
	ret->cgroup_bind_program = f->question.stage == EVENT_STAGE_UNKNOWN &&
				   f->question.error == EPERM && !strstr(modules, "bpf");
}
