/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Everything that holds a file: descriptors, also those of tables private to a thread, messages in
 * Unix sockets that nobody received, files and requests of io_uring, memory mappings.  Iterators,
 * one for each way around; user space says beforehand which files it asks for, by address, and runs
 * one pass at a time.  All of it needs the probe helper: under lockdown=confidentiality it does not
 * load.
 */
#ifndef BPF_FILE_REFS_H
#define BPF_FILE_REFS_H

#include "abi.h"
#include "head.h"
#include "kernel_access.h"

/* Steps along one queue or table; what is beyond stays unexplained, and the file incomplete. */
#define FILE_REF_STEPS_MAX (64 * 1024)
#define SCM_FILES_MAX	   253 /* SCM_MAX_FD: descriptors of one message */
#define RING_NAME	   "[io_uring]"
#define RING_TABLE_BITS	   16 /* of the request table; the kernel makes at most 8 */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_FILE_REF_FILES_MAX);
	__type(key, __u64);   /* struct file */
	__type(value, __u32); /* index */
} file_ref_targets SEC(".maps");

/* References of the container that is being looked at; all zero between two of them. */
static __u32 references_counted[ABI_FILE_REF_FILES_MAX];
static __u32 file_ref_hits;

enum { FILE_REF_NEXT = 0, FILE_REF_LAST = 1 }; /* for bpf_loop() */

static __always_inline void note_reference(const void *file)
{
	__u64 key = (__u64)file;
	__u32 *target = bpf_map_lookup_elem(&file_ref_targets, &key), i;

	if (!target)
		return;
	i = *target;
	if (i >= ABI_FILE_REF_FILES_MAX)
		return;
	references_counted[i]++;
	file_ref_hits++;
}

struct noted {
	struct seq_file *seq;
	struct abi_file_ref file_ref;
};

static long write_references(__u64 target, struct noted *noted)
{
	struct abi_file_ref *file_ref = &noted->file_ref;

	if (target >= ABI_FILE_REF_FILES_MAX)
		return FILE_REF_LAST;
	file_ref->references = references_counted[target];
	if (!file_ref->references)
		return FILE_REF_NEXT;
	references_counted[target] = 0;
	file_ref->target = target;
	bpf_seq_write(noted->seq, file_ref, sizeof(*file_ref));
	return FILE_REF_NEXT;
}

/* Writes what was noted and forgets it: on overflow the kernel drops the turn and repeats it. */
static __always_inline void write_noted(struct noted *noted)
{
	file_ref_hits = 0;
	bpf_loop(ABI_FILE_REF_FILES_MAX, write_references, noted, 0);
}

static __always_inline void write_noted_of(struct seq_file *seq, struct task_struct *task,
					   __u32 kind, const void *where)
{
	struct noted noted = { .seq = seq, .file_ref = { .kind = kind, .where = (__u64)where } };

	if (!file_ref_hits)
		return;
	fill_head(&noted.file_ref.head, task, ABI_FILE_REF, sizeof(noted.file_ref));
	write_noted(&noted);
}

/* --- messages in Unix sockets --- */

struct message_search {
	struct scm_fp_list *list;
	__u32 n;
};

static long look_at_sent_file(__u64 turn, struct message_search *s)
{
	struct file **files = (void *)s->list + bpf_core_field_offset(struct scm_fp_list, fp);
	struct file *file;

	if (turn >= s->n)
		return FILE_REF_LAST;
	if (!bpf_probe_read_kernel(&file, sizeof(file), files + turn))
		note_reference(file);
	return FILE_REF_NEXT;
}

struct queue_search {
	const void *head;
	struct sk_buff *message;
};

static long look_at_message(__u64 turn, struct queue_search *s)
{
	struct sk_buff *message = s->message;
	struct unix_skb_parms *parms;
	struct message_search files;
	struct scm_fp_list *list;

	if (!message || message == s->head)
		return FILE_REF_LAST;
	s->message = BPF_CORE_READ(message, next);
	parms = (void *)message + bpf_core_field_offset(struct sk_buff, cb);
	list = BPF_CORE_READ(parms, fp);
	if (!list)
		return FILE_REF_NEXT;
	files.list = list;
	files.n = BPF_CORE_READ(list, count);
	bpf_loop(SCM_FILES_MAX, look_at_sent_file, &files, 0);
	return FILE_REF_NEXT;
}

/* Takes no lock: a message that is received meanwhile is missed, or found twice. */
static __always_inline void look_at_queue(const struct sock *sk)
{
	struct queue_search s = {
		.head = (const void *)sk + bpf_core_field_offset(struct sock, sk_receive_queue),
		.message = BPF_CORE_READ(sk, sk_receive_queue.next),
	};

	bpf_loop(FILE_REF_STEPS_MAX, look_at_message, &s, 0);
}

/* --- io_uring --- */

/* The file's operations would tell, but their address is a symbol that costs a look-up at load. */
static __always_inline struct io_ring_ctx *ring_of_file(const struct file *file)
{
	struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
	char name[sizeof(RING_NAME)] = {};

	if (BPF_CORE_READ(dentry, d_name.len) != sizeof(RING_NAME) - 1)
		return NULL;
	if (bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(dentry, d_name.name)))
		return NULL;
	for (int i = 0; i < (int)sizeof(name) - 1; i++)
		if (name[i] != RING_NAME[i])
			return NULL;
	/* a directory entry may have this name, too, but no parent but itself has only ours */
	if (BPF_CORE_READ(dentry, d_parent) != dentry)
		return NULL;
	return BPF_CORE_READ(file, private_data);
}

struct slot_search {
	const void *slots;
	__u32 n;
};

/* Since 7029acd8a950 ("io_uring/rsrc: get rid of per-ring io_rsrc_node list", 6.13). */
static long look_at_node(__u64 turn, struct slot_search *s)
{
	struct io_rsrc_node *const *nodes = s->slots, *node;

	if (turn >= s->n)
		return FILE_REF_LAST;
	if (!bpf_probe_read_kernel(&node, sizeof(node), nodes + turn) && node)
		note_reference((void *)(BPF_CORE_READ(node, file_ptr) & FFS_MASK));
	return FILE_REF_NEXT;
}

/*
 * Before, struct io_fixed_file was one word, the pointer and its flags.  Not a relocation: for a
 * type that the kernel has not, libbpf searches all modules, which takes CAP_SYS_ADMIN.
 */
static long look_at_fixed_file(__u64 turn, struct slot_search *s)
{
	const unsigned long *slots = s->slots;
	unsigned long file_ptr;

	if (turn >= s->n)
		return FILE_REF_LAST;
	if (!bpf_probe_read_kernel(&file_ptr, sizeof(file_ptr), slots + turn))
		note_reference((void *)(file_ptr & FFS_MASK));
	return FILE_REF_NEXT;
}

static __always_inline void look_at_registered(const struct io_ring_ctx *ring)
{
	struct slot_search s = {};

	if (bpf_core_field_exists(ring->file_table.data.nodes)) {
		s.slots = BPF_CORE_READ(ring, file_table.data.nodes);
		s.n = BPF_CORE_READ(ring, file_table.data.nr);
		bpf_loop(FILE_REF_STEPS_MAX, look_at_node, &s, 0);
	} else if (bpf_core_field_exists(ring->file_table.files) &&
		   bpf_core_field_exists(ring->nr_user_files)) {
		s.slots = BPF_CORE_READ(ring, file_table.files);
		s.n = BPF_CORE_READ(ring, nr_user_files);
		bpf_loop(FILE_REF_STEPS_MAX, look_at_fixed_file, &s, 0);
	}
}

struct request_search {
	const void *buckets;
	struct hlist_node *request;
	__u32 n, at;
};

static __always_inline struct hlist_node *first_request(const void *buckets, __u32 at)
{
	const struct io_hash_bucket *bucket = buckets +
					      at * bpf_core_type_size(struct io_hash_bucket);

	return BPF_CORE_READ(bucket, list.first);
}

static long look_at_request(__u64 turn, struct request_search *s)
{
	struct hlist_node *node = s->request;
	struct io_kiocb *request;

	if (!node) {
		if (s->at >= s->n)
			return FILE_REF_LAST;
		s->request = first_request(s->buckets, s->at);
		s->at++;
		return FILE_REF_NEXT;
	}
	request = (void *)node - bpf_core_field_offset(struct io_kiocb, hash_node);
	s->request = BPF_CORE_READ(node, next);
	/* a registered file is held by its slot */
	if (!(BPF_CORE_READ_BITFIELD_PROBED(request, flags) & REQ_F_FIXED_FILE))
		note_reference(BPF_CORE_READ(request, file));
	return FILE_REF_NEXT;
}

static __always_inline void look_at_requests(const void *buckets, __u32 bits)
{
	struct request_search s = { .buckets = buckets, .at = 1 };

	if (!buckets || bits > RING_TABLE_BITS)
		return;
	s.n = 1U << bits;
	/* Not NULL to start with: before 6.6 the verifier follows the first turn only, and would
	 * throw away what a constant keeps it from seeing. */
	s.request = first_request(buckets, 0);
	bpf_loop(FILE_REF_STEPS_MAX, look_at_request, &s, 0);
}

/* Before 6.0 the requests are in another table, which is not read. */
static __always_inline void look_at_pending(const struct io_ring_ctx *ring)
{
	if (bpf_core_field_exists(ring->cancel_table.hbs))
		look_at_requests(BPF_CORE_READ(ring, cancel_table.hbs),
				 BPF_CORE_READ(ring, cancel_table.hash_bits));
	if (bpf_core_field_exists(ring->cancel_table_locked))
		look_at_requests(BPF_CORE_READ(ring, cancel_table_locked.hbs),
				 BPF_CORE_READ(ring, cancel_table_locked.hash_bits));
}

#endif
