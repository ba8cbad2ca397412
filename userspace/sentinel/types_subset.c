/* SPDX-License-Identifier: MIT */
#include "sentinel/types_subset.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#define NAME_SIZE 128	/* of a type; KSYM_NAME_LEN is the kernel's own bound, most have 20 */
#define FLAVOR	  "___" /* what follows is ours: task_struct___old means task_struct */
#define VLEN_MASK 0xffff

DEFINE_CLEANUP(struct btf *, btf__free);
DEFINE_CLEANUP(struct bpf_object *, bpf_object__close);

/* --- what the programs name: the strings of a BTF, which libbpf finds by their hashes --- */

/* The name as the kernel has it, without the flavor. */
static const char *essential(const char *name, char ret[static NAME_SIZE])
{
	const char *flavor = strstr(name, FLAVOR);

	if (!flavor || flavor == name)
		return name;
	snprintf(ret, NAME_SIZE, "%.*s", (int)(flavor - name), name);
	return ret;
}

static int add_name(struct btf *names, const char *prefix, const char *name)
{
	char whole[NAME_SIZE], buffer[NAME_SIZE];
	int r;

	snprintf(whole, sizeof(whole), "%s%s", prefix, essential(name, buffer));
	r = btf__add_str(names, whole);
	return r < 0 ? r : 0;
}

/* Types, and functions of the kernel that are called. */
static int add_types(struct btf *names, const struct btf *types)
{
	int r = 0;

	for (uint32_t id = 1; !r && id < btf__type_cnt(types); id++)
		r = add_name(names, "",
			     btf__name_by_offset(types, btf__type_by_id(types, id)->name_off));
	return r;
}

/* Where they are attached: "tp_btf/NAME", "iter/NAME", "fexit/NAME". */
static int add_hooks(struct btf *names, struct bpf_object *object)
{
	static const char *const prefixes[] = { "", "btf_trace_", "bpf_iter_", "bpf_lsm_" };
	struct bpf_program *program;
	int r = 0;

	bpf_object__for_each_program(program, object)
	{
		const char *slash = strchr(bpf_program__section_name(program), '/');

		for (size_t i = 0; slash && !r && i < ARRAY_SIZE(prefixes); i++)
			r = add_name(names, prefixes[i], slash + 1);
	}
	return r;
}

static int add_names(struct btf *names, const struct types_subset_object *o)
{
	_cleanup_(bpf_object__closep) struct bpf_object *object =
		bpf_object__open_mem(o->bytes, o->size, NULL);
	int r;

	if (!object)
		return -errno;
	r = add_types(names, bpf_object__btf(object));
	return r ?: add_hooks(names, object);
}

/* --- what belongs to that --- */

enum wanted {
	NOT_WANTED = 0,
	EMBEDDED, /* what lies in a type, not what that points to: a pointer fits any other */
	SIGNATURE /* of a function: what is pointed to as well */
};

struct subset {
	const struct btf *kernel;
	struct btf *types;
	uint8_t *wanted; /* enum wanted, of each id */
};

static void want(struct subset *s, uint32_t id, enum wanted how)
{
	const struct btf_type *t;

	if (s->wanted[id] >= how || id == 0)
		return;
	s->wanted[id] = how;
	t = btf__type_by_id(s->kernel, id);
	switch (btf_kind(t)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		for (int i = 0; i < btf_vlen(t); i++)
			want(s, btf_members(t)[i].type, EMBEDDED);
		break;
	case BTF_KIND_FUNC_PROTO:
		for (int i = 0; i < btf_vlen(t); i++)
			want(s, btf_params(t)[i].type, how);
		want(s, t->type, how);
		break;
	case BTF_KIND_ARRAY:
		want(s, btf_array(t)->type, how);
		break;
	case BTF_KIND_FUNC:
		want(s, t->type, SIGNATURE);
		break;
	case BTF_KIND_PTR:
		if (how == SIGNATURE)
			want(s, t->type, how);
		break;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		want(s, t->type, how);
		break;
	}
}

static void want_named(struct subset *s, struct btf *names)
{
	char buffer[NAME_SIZE];

	for (uint32_t id = 1; id < btf__type_cnt(s->kernel); id++) {
		const struct btf_type *t = btf__type_by_id(s->kernel, id);
		const char *name = btf__name_by_offset(s->kernel, t->name_off);

		if (*name && btf__find_str(names, essential(name, buffer)) >= 0)
			want(s, id, EMBEDDED);
	}
}

/* --- the subset --- */

/* Some kinds have more behind their head than a list of members. */
static bool can_be_bare(const struct btf_type *t)
{
	switch (btf_kind(t)) {
	case BTF_KIND_INT:
	case BTF_KIND_ARRAY:
	case BTF_KIND_VAR:
	case BTF_KIND_DATASEC:
	case BTF_KIND_DECL_TAG:
		return false;
	default:
		return true;
	}
}

/* Of what nobody names the kind, the size, and what it is made of. */
static int add_type(struct subset *s, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(s->kernel, id);
	const struct btf_type bare = { .info = t->info & ~VLEN_MASK, .type = t->type };
	int r = btf__add_type(s->types, s->kernel, s->wanted[id] || !can_be_bare(t) ? t : &bare);

	return r < 0 ? r : r == (int)id ? 0 : -EPROTO;
}

/* In one piece; behind the names as many zeroes as there are more of the kernel's. */
static int write_out(const struct btf *types, const struct btf *kernel, void **ret,
		     size_t *ret_size)
{
	uint32_t size, kernel_size;
	const struct btf_header *from = btf__raw_data(types, &size);
	const struct btf_header *all = btf__raw_data(kernel, &kernel_size);
	struct btf_header *to;

	if (!from || !all)
		return -ENOMEM;
	if (from->str_len > all->str_len)
		return -EPROTO;
	*ret_size = size + (all->str_len - from->str_len);
	to = calloc(1, *ret_size);
	if (!to)
		return -ENOMEM;
	memcpy(to, from, size);
	to->str_len = all->str_len;
	*ret = to;
	return 0;
}

int types_subset_new(const struct btf *kernel, const struct types_subset_object *objects, size_t n,
		     void **ret, size_t *ret_size)
{
	uint32_t count = btf__type_cnt(kernel);
	_cleanup_(btf__freep) struct btf *names = btf__new_empty();
	_cleanup_(btf__freep) struct btf *types = btf__new_empty();
	_cleanup_free_ uint8_t *wanted = calloc(count, sizeof(*wanted));
	struct subset s = { kernel, types, wanted };
	int r = 0;

	if (!names || !types || !wanted)
		return -ENOMEM;
	for (size_t i = 0; !r && i < n; i++)
		r = add_names(names, &objects[i]);
	if (r)
		return r;
	want_named(&s, names);
	for (uint32_t id = 1; !r && id < count; id++)
		r = add_type(&s, id);
	return r ?: write_out(types, kernel, ret, ret_size);
}
