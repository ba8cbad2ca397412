/* SPDX-License-Identifier: MIT */
#include "sentinel/bpf_load.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define TRACEFS	      "/sys/kernel/tracing"
#define TRACEFS_OLD   "/sys/kernel/debug/tracing"
#define MOUNTS	      "/proc/self/mounts"
#define LOCKDOWN      "/sys/kernel/security/lockdown"
#define MESSAGE_SIZE  192
#define LIBBPF_PREFIX "libbpf: "

/* Of the thread: two load at the same time. */
static _Thread_local char message[MESSAGE_SIZE];

static void endmntentp(FILE **f)
{
	if (*f)
		endmntent(*f);
}

/* By stat(): access() asks for the real user without his capabilities, and tracefs is root's. */
static bool is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

const char *bpf_load_tracefs(void)
{
	return is_there(TRACEFS "/events") ? TRACEFS : TRACEFS_OLD;
}

int bpf_load_mount_tracefs(void)
{
	if (is_there(TRACEFS "/events") || is_there(TRACEFS_OLD "/events"))
		return 0;
	return mount("tracefs", TRACEFS, "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0
		       ? -errno
		       : 0;
}

int bpf_load_open_cgroup_root(void)
{
	_cleanup_(endmntentp) FILE *mounts = setmntent(MOUNTS, "re");
	struct mntent *m;
	int r = -ENOENT;

	if (!mounts)
		return -errno;
	/* one may be hidden below a later mount */
	while ((m = getmntent(mounts))) {
		int fd;

		if (strcmp(m->mnt_type, "cgroup2") != 0)
			continue;
		fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
		r = -errno;
	}
	return r;
}

bool bpf_load_probing_is_allowed(void)
{
	_cleanup_file_ FILE *f = fopen(LOCKDOWN, "re");
	char line[128];

	return !f || !fgets(line, sizeof(line), f) || !strstr(line, "[confidentiality]");
}

bool bpf_load_functions_can_be_traced(void)
{
	static const struct bpf_insn leave[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FEXIT);
	/* of no function: whoever may load it is told that this is invalid */
	_cleanup_close_ int fd = bpf_prog_load(BPF_PROG_TYPE_TRACING, NULL, "Dual MIT/GPL", leave,
					       ARRAY_SIZE(leave), &options);

	return fd != -EPERM;
}

/* Loops without a bound that the verifier could unroll: e6f2dd0f8067 (5.17). */
const char *bpf_load_missing(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_TRACEPOINT, BPF_FUNC_loop, NULL) == 0
		       ? "this kernel has no bpf_loop(), which came with Linux 5.17"
		       : NULL;
}

bool bpf_load_answers_can_be_seen(void)
{
	static const enum bpf_prog_type types[] = { BPF_PROG_TYPE_CGROUP_SOCK,
						    BPF_PROG_TYPE_CGROUP_SOCK_ADDR };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (libbpf_probe_bpf_helper(types[i], BPF_FUNC_get_retval, NULL) != 1)
			return false;
	return true;
}

static int keep_first_warning(enum libbpf_print_level level, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/* The first line of a message; the verifier's log follows on further ones. */
static int keep_first_warning(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[MESSAGE_SIZE];
	const char *start = text;

	if (level != LIBBPF_WARN || message[0])
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(start, LIBBPF_PREFIX, strlen(LIBBPF_PREFIX)) == 0)
		start += strlen(LIBBPF_PREFIX);
	snprintf(message, sizeof(message), "%s", start);
	return 0;
}

void bpf_load_capture_messages(void)
{
	libbpf_set_print(keep_first_warning);
	bpf_load_reset_message();
}

/*
 * libbpf looks for a function that the kernel need not have (bpf_rdonly_cast before 6.2) in the
 * types of the modules as well, and fails altogether where listing them is refused: it takes
 * CAP_SYS_ADMIN, which nothing else here does.  Whoever may not list them finds nothing there;
 * newer versions of libbpf say so, too.
 */
int __real_bpf_btf_get_next_id(__u32 start_id, __u32 *ret_id);
int __wrap_bpf_btf_get_next_id(__u32 start_id, __u32 *ret_id);

int __wrap_bpf_btf_get_next_id(__u32 start_id, __u32 *ret_id)
{
	int r = __real_bpf_btf_get_next_id(start_id, ret_id);

	if (r != -EPERM)
		return r;
	errno = ENOENT;
	return -ENOENT;
}

void bpf_load_reset_message(void)
{
	message[0] = '\0';
}

const char *bpf_load_message(void)
{
	return message;
}
