/* SPDX-License-Identifier: MIT */
/* A cgroup (version 2) of the case's own, and BPF programs that are attached to it. */
#ifndef CASES_CASE_CGROUP_H
#define CASES_CASE_CGROUP_H

#include <linux/bpf.h>
#include <mntent.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "case.h"

static char cgroup_path[256];
static char cgroup_root[128]; /* where the hierarchy is mounted */

/* Into the case's cgroup, or out of it; a socket belongs to where its process is at that time. */
static inline void cgroup_move_to(const char *cgroup, pid_t pid)
{
	char path[sizeof(cgroup_path) + 32], text[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	snprintf(text, sizeof(text), "%d", pid);
	write_file(path, text);
}

/* After every process of the case has ended: atexit() calls in reverse. */
static inline void cgroup_remove(void)
{
	end_descendants();
	cgroup_move_to(cgroup_root, getpid());
	rmdir(cgroup_path);
}

static inline void cgroup_make(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *m;

	need(mounts);
	while ((m = getmntent(mounts)) && strcmp(m->mnt_type, "cgroup2") != 0)
		;
	if (!m)
		skip("no cgroup version 2 here");
	snprintf(cgroup_root, sizeof(cgroup_root), "%s", m->mnt_dir);
	snprintf(cgroup_path, sizeof(cgroup_path), "%s/pd-case-%d", cgroup_root, getpid());
	endmntent(mounts);
	need(mkdir(cgroup_path, 0755) == 0);
	atexit(cgroup_remove);
}

static inline void cgroup_write(const char *name, const char *text)
{
	char path[sizeof(cgroup_path) + 32];

	snprintf(path, sizeof(path), "%s/%s", cgroup_path, name);
	write_file(path, text);
}

static inline void cgroup_move(pid_t pid)
{
	cgroup_move_to(cgroup_path, pid);
}

/* This process, and each victim from its birth: an ordinary user cannot move itself. */
static inline void cgroup_enter(void)
{
	cgroup_move(getpid());
}

static inline bool cgroup_is_frozen(struct scene *s)
{
	char path[sizeof(cgroup_path) + 32], text[128];

	snprintf(path, sizeof(path), "%s/cgroup.events", cgroup_path);
	read_file(path, text, sizeof(text));
	return strstr(text, "frozen 1");
}

/* Loads the program and attaches it to the cgroup; returns its descriptor. */
static inline int cgroup_attach(enum bpf_prog_type type, enum bpf_attach_type where,
				const struct bpf_insn *code, size_t n)
{
	union bpf_attr load = {
		.prog_type = type,
		.expected_attach_type = where,
		.insns = (uintptr_t)code,
		.insn_cnt = (uint32_t)n,
		.license = (uintptr_t) "GPL",
	};
	union bpf_attr attach = { .attach_type = where, .attach_flags = BPF_F_ALLOW_MULTI };
	int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));

	if (program < 0)
		skip("programs for cgroups cannot be loaded here");
	attach.attach_bpf_fd = (uint32_t)program;
	attach.target_fd = (uint32_t)open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) == 0);
	close((int)attach.target_fd);
	return program;
}

static inline void cgroup_detach(int program, enum bpf_attach_type where)
{
	union bpf_attr detach = { .attach_type = where, .attach_bpf_fd = (uint32_t)program };

	detach.target_fd = (uint32_t)open(cgroup_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	need(syscall(SYS_bpf, BPF_PROG_DETACH, &detach, sizeof(detach)) == 0);
	close((int)detach.target_fd);
}

/* The address as the program may change it. */
#define USER_PORT (int)offsetof(struct bpf_sock_addr, user_port)
#define USER_IP4  (int)offsetof(struct bpf_sock_addr, user_ip4)

/* The instructions that these programs are made of. */
#define BPF_RETURN()                       \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}
#define BPF_SET(reg, value)                                                           \
	{                                                                             \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (value) \
	}
/* From a register: what a program has been given takes no constant before Linux 6.3. */
#define BPF_STORE32(reg, offset, from)                                                \
	{                                                                             \
		.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = (reg), .off = (offset), \
		.src_reg = (from)                                                     \
	}
#define BPF_HELPER(id)                                  \
	{                                               \
		.code = BPF_JMP | BPF_CALL, .imm = (id) \
	}

static int cgroup_program; /* that cgroup_start_program() attached */
static enum bpf_attach_type cgroup_program_where;

/* Puts this process, and with it each victim, into a cgroup that has this program. */
static inline void cgroup_start_program(enum bpf_prog_type type, enum bpf_attach_type where,
					const struct bpf_insn *code, size_t n)
{
	cgroup_make();
	cgroup_program = cgroup_attach(type, where, code, n);
	cgroup_program_where = where;
	cgroup_enter();
}

/* With one that refuses with the case's error; without one set the kernel's is EPERM. */
static inline void cgroup_start_refusing(enum bpf_prog_type type, enum bpf_attach_type where)
{
	const struct bpf_insn with_error[] = {
		BPF_SET(BPF_REG_1, -expected_error()),
		BPF_HELPER(BPF_FUNC_set_retval),
		BPF_SET(BPF_REG_0, 0),
		BPF_RETURN(),
	};
	bool plain = expected_error() == EPERM;

	cgroup_start_program(type, where, plain ? with_error + 2 : with_error, plain ? 2 : 4);
}

/* For set_up: the address is refused. */
static inline void cgroup_refuse_bind(struct scene *s)
{
	cgroup_start_refusing(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND);
}

/* For set_up: the socket is refused once it has its port. */
static inline void cgroup_refuse_post_bind(struct scene *s)
{
	cgroup_start_refusing(BPF_PROG_TYPE_CGROUP_SOCK, s->attempt.family == AF_INET6
								 ? BPF_CGROUP_INET6_POST_BIND
								 : BPF_CGROUP_INET4_POST_BIND);
}

/* With one that puts a value into a member of the address that is asked for. */
static inline void cgroup_rewrite_bind(struct scene *s, int member, uint32_t value)
{
	const struct bpf_insn code[] = {
		BPF_SET(BPF_REG_2, (int32_t)value),
		BPF_STORE32(BPF_REG_1, member, BPF_REG_2),
		BPF_SET(BPF_REG_0, 1),
		BPF_RETURN(),
	};

	cgroup_start_program(BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
			     s->attempt.family == AF_INET6 ? BPF_CGROUP_INET6_BIND
							   : BPF_CGROUP_INET4_BIND,
			     code, 4);
}

/* For remedy. */
static inline void cgroup_stop_program(struct scene *s)
{
	cgroup_detach(cgroup_program, cgroup_program_where);
}

#endif
