/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The kernel's structures, cut down to the members that the programs read.  Each access is a CO-RE
 * relocation, so order, padding and everything left out do not matter: libbpf finds the members by
 * name in the BTF of the kernel that runs.  Takes the place of a generated vmlinux.h: no kernel
 * headers and no BTF are needed on the machine that builds, and the object is a quarter the size.
 */
#ifndef BPF_KERNEL_TYPES_H
#define BPF_KERNEL_TYPES_H

/* Tells abi.h and libbpf's headers that kernel types come from here, not from libc. */
#define __VMLINUX_H__

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#define AF_UNSPEC 0
#define AF_UNIX	  1
#define AF_INET	  2
#define AF_INET6  10

#define IPPROTO_TCP	6
#define IPPROTO_UDP	17
#define IPPROTO_UDPLITE 136
#define IPPROTO_MPTCP	262

#define TCP_TIME_WAIT	 6
#define TCP_CLOSE	 7
#define TCP_LISTEN	 10
#define TCP_NEW_SYN_RECV 12

/* sk_userlocks (include/net/sock.h) */
#define SOCK_BINDADDR_LOCK 4
#define SOCK_BINDPORT_LOCK 8
#define SOCK_CONNECT_BIND  16 /* since 6.18 */

#define SHUTDOWN_BOTH 3
#define PID_MAX_LIMIT (4 * 1024 * 1024)

/* An entry of an xarray: an inner node by its tag, without one what was stored. */
#define XA_TAGS		3
#define XA_NODE		2
#define PID_TREE_LEVELS 4 /* of 6 bits each, up to PID_MAX_LIMIT */

#define REQ_F_FIXED_FILE 1	/* include/linux/io_uring_types.h: a registered file */
#define FFS_MASK	 (~7UL) /* of a slot's file_ptr; the rest are flags */

#define S_IFMT	 0170000
#define S_IFSOCK 0140000

#define SIGNAL_GROUP_EXIT 0x4 /* include/linux/sched/signal.h */
#define PIDTYPE_SID	  3   /* include/linux/pid_types.h */

/* Results that restart the call instead of returning to the program: ERESTARTSYS … 516. */
#define RESTART_FIRST 512
#define RESTART_LAST  516

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct atomic {
	int counter;
};

struct atomic_long {
	long counter;
};

struct file_ref {
	struct atomic_long refcnt;
};

struct kernel_uid {
	__u32 val;
};

struct list_head {
	struct list_head *next;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct dentry;

struct qstr {
	__u32 len;
	const unsigned char *name;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	void *private_data;
	struct inode *f_inode;
	struct path f_path;
	struct atomic_long f_count; /* before 6.13 */
	struct file_ref f_ref;	    /* since 6.13 */
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct atomic count;
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start, arg_end;
};

struct ns_common {
	unsigned int inum;
};

/* Who owns which TCP port: a bucket for each port, in it a bucket for each address (since 6.1). */
struct inet_bind_hashbucket {
	struct hlist_head chain;
};

struct inet_hashinfo {
	struct inet_bind_hashbucket *bhash;
	unsigned int bhash_size;
};

struct inet_timewait_death_row {
	struct inet_hashinfo *hashinfo;
};

/* Who owns which UDP port: sockets by port alone, and by address and port. */
struct udp_hslot {
	struct hlist_head head;
	int count;
};

struct udp_table {
	struct udp_hslot *hash;
	void *hash2;
	struct udp_hslot *hash4; /* since 6.13; the entries of hash2 grew with it */
	unsigned int mask;
};

struct local_ports {
	__u32 range; /* first, and last << 16 */
};

/* before 6.8 (d9f28735af87) */
struct local_ports___pair {
	int range[2];
};

struct netns_ipv4 {
	struct inet_timewait_death_row tcp_death_row;
	struct udp_table *udp_table; /* since 6.2 */
	struct sock *mc_autojoin_sk; /* a UDP socket */
	struct local_ports ip_local_ports;
	int sysctl_ip_prot_sock;
	__u8 sysctl_ip_nonlocal_bind; /* a wider type before 5.14, whose low byte this is */
};

struct netns_sysctl_ipv6 {
	__u8 ip_nonlocal_bind; /* the same */
};

struct netns_ipv6 {
	struct netns_sysctl_ipv6 sysctl;
};

struct net {
	struct ns_common ns;
	__u64 net_cookie; /* since 5.12 (3d368ab87cf6) */
	unsigned int hash_mix;
	struct netns_ipv4 ipv4;
	struct netns_ipv6 ipv6;
};

struct nsproxy {
	struct net *net_ns;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64]; /* 16 with CONFIG_BASE_SMALL */
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct idr idr; /* of struct pid */
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	struct hlist_head tasks[1]; /* by enum pid_type: first the task of this pid */
	struct upid numbers[1];	    /* by level: the initial namespace first */
};

struct signal_struct {
	struct atomic live;
	int group_exit_code;
	unsigned int flags;
	struct pid *pids[4];
};

struct user_namespace {
	int level; /* 0: the initial one */
};

/* __u32 cap[2] before 6.3: the same bytes where the lower word stands first. */
struct kernel_capabilities {
	__u64 val;
};

struct cred {
	struct kernel_uid euid;
	struct kernel_capabilities cap_effective;
	struct user_namespace *user_ns;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup_bpf {
	struct hlist_head progs[1]; /* one for each hook; struct list_head before 6.1 */
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_bpf bpf;
};

struct sock_cgroup_data {
	struct cgroup *cgroup; /* since 5.16 */
};

enum cgroup_bpf_attach_type {
	CGROUP_INET4_BIND,
	CGROUP_INET6_BIND,
	CGROUP_INET4_POST_BIND,
	CGROUP_INET6_POST_BIND,
	MAX_CGROUP_BPF_ATTACH_TYPE,
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct seccomp {
	int mode;
};

struct task_struct {
	int exit_code;
	int pid;
	int tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct hlist_node pid_links[1]; /* by enum pid_type */
	__u64 start_boottime;
	const struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	struct mm_struct *mm;
	struct css_set *cgroups;
	unsigned int ptrace;
	unsigned long atomic_flags;
	struct seccomp seccomp;
};

/* The registers of the interrupted program; at the exit of a system call, still its arguments. */
#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	unsigned long di, si, dx;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	__u64 regs[31];
	__u64 orig_x0; /* regs[0] has the result by then */
};
#endif

struct linux_binprm;

struct in6_addr {
	union {
		__u32 u6_addr32[4];
	} in6_u;
};

struct possible_net {
	struct net *net;
};

struct atomic64 {
	__s64 counter;
};

struct inet_bind_bucket {
	struct possible_net ib_net;
	unsigned short port;
	signed char fastreuse;
	signed char fastreuseport;
	struct kernel_uid fastuid;
	struct in6_addr fast_v6_rcv_saddr;
	__u32 fast_rcv_saddr;
	unsigned short fast_sk_family;
	bool fast_ipv6_only;
	struct hlist_node node;
	struct hlist_head bhash2; /* since 6.8 */
	struct hlist_head owners; /* before 6.8 */
};

struct inet_bind2_bucket {
	struct hlist_node bhash_node;
	struct hlist_head owners;
};

struct proto {
	union {
		struct udp_table *udp_table; /* before 6.2 */
	} h;
};

struct sock_common {
	__u32 skc_daddr;
	__u32 skc_rcv_saddr;
	__u16 skc_u16hashes[2];
	__u16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_reuse : 4;
	unsigned char skc_reuseport : 1;
	unsigned char skc_ipv6only : 1;
	unsigned char skc_net_refcnt : 1;
	int skc_bound_dev_if;
	struct hlist_node skc_bind_node;
	struct hlist_node skc_portaddr_node;
	struct proto *skc_prot;
	struct possible_net skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	struct atomic64 skc_cookie;
	struct hlist_node skc_node;
};

struct wait_queue_entry {
	void *private;
	struct list_head entry;
};

struct wait_queue_head {
	struct list_head head;
};

struct socket_wq {
	struct wait_queue_head wait;
};

struct sk_buff {
	struct sk_buff *next;
	char cb[48];
};

struct sk_buff_head {
	struct sk_buff *next;
};

/* How poll() and select() wait: each entry holds a reference to the file. */
struct poll_table_entry {
	struct file *filp;
	struct wait_queue_entry wait;
};

struct socket;

struct sock_reuseport {
	__u16 num_closed_socks;
};

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	struct socket_wq *sk_wq;
	struct kernel_uid sk_uid;
	__u16 sk_protocol;
	unsigned char sk_userlocks;
	struct sk_buff_head sk_receive_queue;
	unsigned char sk_shutdown;
	__u32 sk_max_ack_backlog;
	struct sock_reuseport *sk_reuseport_cb;
	struct sock_cgroup_data sk_cgrp_data;
};

struct inet_timewait_sock {
	unsigned char tw_substate;
};

struct inet_sock {
	__u16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	bool is_mptcp;
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct socket_alloc {
	struct socket socket;
	struct inode vfs_inode;
};

/* Descriptors that travel in a message of a Unix socket: what skb->cb points to. */
struct scm_fp_list {
	short count;
	struct file *fp[1]; /* SCM_MAX_FD of them */
};

struct unix_skb_parms {
	struct scm_fp_list *fp;
};

struct unix_sock {
	struct sock sk;
};

struct vm_area_struct {
	struct file *vm_file;
};

/* io_uring: the files registered with a ring, and the requests that wait for something. */
struct io_rsrc_node { /* since 6.13 */
	unsigned long file_ptr;
};

struct io_rsrc_data {
	unsigned int nr;
	struct io_rsrc_node **nodes;
};

struct io_file_table {
	struct io_rsrc_data data; /* since 6.13 */
	void *files;		  /* before: an array of struct io_fixed_file */
};

struct io_kiocb {
	struct file *file;
	__u64 flags;
	struct hlist_node hash_node;
};

struct io_hash_bucket {
	struct hlist_head list;
};

struct io_hash_table {
	struct io_hash_bucket *hbs;
	unsigned int hash_bits;
};

struct io_ring_ctx {
	struct io_file_table file_table;
	unsigned int nr_user_files;		  /* before 6.13 */
	struct io_hash_table cancel_table;	  /* since 6.0 */
	struct io_hash_table cancel_table_locked; /* 6.0 to 6.11 */
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
	__u64 session_id;
	__u64 seq_num;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

struct bpf_iter__unix {
	struct bpf_iter_meta *meta;
	struct unix_sock *unix_sk;
	__u32 uid;
};

struct trace_event_raw_sys_enter {
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	long id; /* for programs the kernel fills the lower half only */
	long ret;
};

#pragma clang attribute pop

/* User space's sockaddr_in and sockaddr_in6 share family and port; both fit into the longer. */
struct user_sockaddr {
	__u16 family;
	__u16 port_be16;
	__u32 addr4; /* IPv6: flow information */
	__u32 addr6[4];
	__u32 scope_id;
};
#define USER_SOCKADDR_IN_BYTES	16
#define USER_SOCKADDR_IN6_BYTES 24 /* without the scope, as the kernel accepts it (RFC 2133) */

#endif
