/* SPDX-License-Identifier: MIT */
/* The checks of the kernel and of how this machine is set up, from /proc and /sys. */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/identity.h"
#include "base/procfs.h"
#include "base/reserved.h"
#include "cli/client/answer.h"
#include "cli/client/polling.h"
#include "cli/doctor/doctor.h"
#include "cli/project/config.h"

#define TEXT_SIZE 4096
#define BTF	  "/sys/kernel/btf/vmlinux"
#define LOCKDOWN  "/sys/kernel/security/lockdown"
#define SYSCTL	  "/proc/sys/"

DEFINE_CLEANUP(FILE *, endmntent);

/* A number of /proc/sys; false where there is none. */
static bool read_number(const char *path, long *ret)
{
	char text[64], *end;

	if (procfs_read(path, text, sizeof(text)) <= 0)
		return false;
	*ret = strtol(text, &end, 10);
	return end != text;
}

/* What the running kernel calls itself: what is known of kernels before a version is no look. */
static bool kernel_is_before(int major, int minor)
{
	struct utsname name;
	int have_major = 0, have_minor = 0;

	return uname(&name) == 0 && sscanf(name.release, "%d.%d", &have_major, &have_minor) == 2 &&
	       (have_major < major || (have_major == major && have_minor < minor));
}

/* The mount on top of a place: its options, or the place of the first of a kind. */
static bool find_mount(const char *type, const char *place, char ret[TEXT_SIZE])
{
	_cleanup_(endmntentp) FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *m;
	bool found = false;

	while (mounts && (m = getmntent(mounts))) {
		if (strcmp(m->mnt_type, type) != 0 || (place && strcmp(m->mnt_dir, place) != 0))
			continue;
		snprintf(ret, TEXT_SIZE, "%s", place ? m->mnt_opts : m->mnt_dir);
		found = true;
	}
	return found;
}

void doctor_check_btf(struct doctor *d)
{
	if (access(BTF, R_OK) == 0)
		doctor_say(d, DOCTOR_OK, NULL, "%s", BTF);
	else
		doctor_say(d, DOCTOR_WARN, NULL,
			   "%s: %s; without it no eBPF program loads and the daemon polls: boot a "
			   "kernel of your distribution, or one built with CONFIG_DEBUG_INFO_BTF=y",
			   BTF, strerror(errno));
}

void doctor_check_lockdown(struct doctor *d)
{
	char text[TEXT_SIZE];

	if (procfs_read(LOCKDOWN, text, sizeof(text)) <= 0)
		doctor_say(d, DOCTOR_OK, NULL, "none: %s cannot be read", LOCKDOWN);
	else if (strstr(text, "[confidentiality]"))
		doctor_say(d, DOCTOR_WARN, NULL,
			   "the kernel is in lockdown (confidentiality): programs that read its "
			   "memory are refused, and with them what they see; boot it with "
			   "lockdown=integrity");
	else
		doctor_say(d, DOCTOR_OK, NULL, "%.*s", (int)strcspn(text, "\n"), text);
}

/* Whether a probe on a tracepoint of a system call was refused. */
static bool misses_tracepoints(const struct doctor *d)
{
	struct json_object *probes = answer_member(answer_member(d->status, "kernel"), "probes");

	for (size_t i = 0; i < answer_length(probes); i++) {
		struct json_object *probe = answer_at(probes, i);

		if (strstr(answer_text(probe, "attached"), "tp/syscalls") &&
		    strcmp(answer_text(probe, "state"), "works") != 0)
			return true;
	}
	return false;
}

/* Then neither perf events nor tracefs are asked for anything. */
static bool needs_no_tracepoints(const struct doctor *d)
{
	const char *trace = answer_text(answer_member(d->status, "kernel"), "trace");

	return !strcmp(trace, "fexit") || !strcmp(trace, "hooks");
}

void doctor_check_perf_paranoid(struct doctor *d)
{
	long level;

	if (needs_no_tracepoints(d))
		doctor_say(d, DOCTOR_OK, NULL, "no tracepoint of a system call is used");
	else if (!read_number(SYSCTL "kernel/perf_event_paranoid", &level))
		doctor_say(d, DOCTOR_WARN, NULL,
			   "kernel.perf_event_paranoid cannot be read: without perf events no "
			   "tracepoint can be used, and refused binds are not seen");
	else if (level > 2 && misses_tracepoints(d))
		doctor_say(d, DOCTOR_WARN, "sudo sysctl -w kernel.perf_event_paranoid=2",
			   "kernel.perf_event_paranoid is %ld, and tracepoints were refused: "
			   "a daemon that is not root may use them up to 2",
			   level);
	else
		doctor_say(d, DOCTOR_OK, NULL, "kernel.perf_event_paranoid is %ld", level);
}

void doctor_check_unprivileged_bpf(struct doctor *d)
{
	long value;

	if (!read_number(SYSCTL "kernel/unprivileged_bpf_disabled", &value))
		doctor_say(d, DOCTOR_OK, NULL,
			   "this kernel has no "
			   "kernel.unprivileged_bpf_disabled");
	else if (value && kernel_is_before(5, 19))
		doctor_say(
			d, DOCTOR_WARN,
			value == 1 ? NULL : "sudo sysctl -w kernel.unprivileged_bpf_disabled=0",
			"kernel.unprivileged_bpf_disabled is %ld, and before Linux 5.19 a daemon "
			"that has given up its rights may not call bpf() then: %s, and who holds a "
			"socket is read from /proc%s",
			value,
			answer_bool(answer_member(d->status, "kernel"), "orders")
				? "it tells the kernel of runs and rules by a hook of its own"
				: "members of runs are searched for, no port is rewritten",
			value == 1 ? " (1 stays until the next boot)" : "");
	else
		doctor_say(d, DOCTOR_OK, NULL, "kernel.unprivileged_bpf_disabled is %ld", value);
}

void doctor_check_tracefs(struct doctor *d)
{
	char place[TEXT_SIZE];

	if (find_mount("tracefs", NULL, place))
		doctor_say(d, DOCTOR_OK, NULL, "mounted at %s", place);
	else if (needs_no_tracepoints(d))
		doctor_say(d, DOCTOR_OK, NULL, "not mounted, and not used");
	else if (d->status && !polling_is(d->status) && !misses_tracepoints(d))
		doctor_say(d, DOCTOR_OK, NULL,
			   "not mounted here; the daemon found its tracepoints");
	else
		doctor_say(d, DOCTOR_WARN, "sudo mount -t tracefs tracefs /sys/kernel/tracing",
			   "not mounted: without its tracepoints refused binds are not seen");
}

void doctor_check_cgroup_v2(struct doctor *d)
{
	char place[TEXT_SIZE];

	if (find_mount("cgroup2", NULL, place))
		doctor_say(d, DOCTOR_OK, NULL, "mounted at %s", place);
	else
		doctor_say(d, DOCTOR_WARN,
			   "sudo mkdir -p /sys/fs/cgroup/unified && sudo mount -t cgroup2 cgroup2 "
			   "/sys/fs/cgroup/unified",
			   "no cgroup v2 is mounted: sockets that are bound and do not listen, and "
			   "UDP, are not seen as they come and go");
}

/* "name hierarchy groups enabled": how many groups a controller has in a hierarchy of v1. */
static long groups_of(const char *cgroups, const char *controller)
{
	const char *line = cgroups;
	char name[32];
	long hierarchy, groups;

	for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
		if (sscanf(line, "%31s %ld %ld", name, &hierarchy, &groups) == 3 && hierarchy &&
		    !strcmp(name, controller))
			return groups;
	return 0;
}

void doctor_check_net_cls(struct doctor *d)
{
	char text[TEXT_SIZE];
	long cls, prio;

	procfs_read("/proc/cgroups", text, sizeof(text));
	cls = groups_of(text, "net_cls");
	prio = groups_of(text, "net_prio");
	if (cls <= 1 && prio <= 1)
		doctor_say(d, DOCTOR_OK, NULL, "not in use");
	else if (kernel_is_before(5, 15))
		doctor_say(
			d, DOCTOR_WARN, NULL,
			"cgroup v1's net_cls or net_prio has %ld groups, and before Linux 5.15 a "
			"socket then forgets its cgroup: units and containers are not named by "
			"it; boot with cgroup_no_v1=net_cls,net_prio",
			cls > prio ? cls : prio);
	else
		doctor_say(d, DOCTOR_OK, NULL,
			   "in use, and since Linux 5.15 a socket keeps its "
			   "cgroup all the same");
}

void doctor_check_hidepid(struct doctor *d)
{
	char options[TEXT_SIZE] = "";
	const char *hide;

	find_mount("proc", "/proc", options);
	hide = strstr(options, "hidepid=");
	if (!hide || !strncmp(hide, "hidepid=0", 9) || !strncmp(hide, "hidepid=off", 11))
		doctor_say(d, DOCTOR_OK, NULL, "/proc shows every process");
	else
		doctor_say(d, DOCTOR_WARN, "sudo mount -o remount,hidepid=0 /proc",
			   "/proc is mounted with %.*s: of other users' processes no command line, "
			   "directory or parent is read",
			   (int)strcspn(hide, ","), hide);
}

/* The range of this directory's project, else the default one. */
static struct port_range range_here(void)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct port_range range = { PORT_RANGE_FIRST, PORT_RANGE_LAST };
	char directory[TEXT_SIZE], error[TEXT_SIZE];

	if (getcwd(directory, sizeof(directory)) &&
	    config_find(directory, &config, error, sizeof(error)) > 0 && *config->range)
		port_range_parse(config->range, &range);
	return range;
}

void doctor_check_port_range(struct doctor *d)
{
	struct port_range range = range_here();
	int all = range.last - range.first + 1, low, high, first, last;
	char text[64];

	procfs_read(RESERVED_RANGE_PATH, text, sizeof(text));
	if (sscanf(text, "%d %d", &low, &high) != 2) {
		doctor_say(d, DOCTOR_SKIP, NULL, "net.ipv4.ip_local_port_range cannot be read");
		return;
	}
	first = low > range.first ? low : range.first;
	last = high < range.last ? high : range.last;
	if (first > last)
		doctor_say(d, DOCTOR_OK, NULL, "%u-%u; outgoing connections have %d-%d",
			   range.first, range.last, low, high);
	else
		doctor_say(d, last - first + 1 == all ? DOCTOR_FAIL : DOCTOR_WARN,
			   "sudo sysctl -w net.ipv4.ip_local_port_range='32768 60999'",
			   "%d of the %d ports of %u-%u lie in %d-%d, where outgoing connections "
			   "take any: no service gets one of them",
			   last - first + 1, all, range.first, range.last, low, high);
}

void doctor_check_reserved_ports(struct doctor *d)
{
	struct port_range range = range_here();
	_cleanup_(sysctl_file_deinit) struct sysctl_file list = { .fd = -1 };
	int all = range.last - range.first + 1, kept;

	if (!sysctl_file_read(&list, RESERVED_LIST_PATH)) {
		doctor_say(d, DOCTOR_SKIP, NULL, "net.ipv4.ip_local_reserved_ports cannot be read");
		return;
	}
	kept = reserved_of_range(list.text, range.first, range.last);
	if (2 * kept <= all)
		doctor_say(d, DOCTOR_OK, NULL, "%d of %u-%u", kept, range.first, range.last);
	else
		doctor_say(d, kept >= all ? DOCTOR_FAIL : DOCTOR_WARN,
			   "sudo sysctl -w net.ipv4.ip_local_reserved_ports=''",
			   "net.ipv4.ip_local_reserved_ports keeps %d of the %d ports of %u-%u: no "
			   "service gets one of them",
			   kept, all, range.first, range.last);
}
