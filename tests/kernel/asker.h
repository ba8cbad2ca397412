/* SPDX-License-Identifier: MIT */
/* The asking side of tests of file references: an inventory on a real kernel, and what it says of a
 * port. */
#ifndef KERNEL_ASKER_H
#define KERNEL_ASKER_H

#include "inventory/bindtable.h"
#include "inventory/file_refs.h"
#include "inventory/inventory.h"
#include "kernel/actors.h"

struct asker {
	struct sentinel *sentinel;
	struct inventory *inventory;
};

static inline void need_probe(const struct asker *a, const char *name)
{
	const struct sentinel_probe *p = probe(a->sentinel, name);

	if (p->state == SENTINEL_PROBE_WORKS)
		return;
	print_message("# skipped: the probe %s is refused here: %s\n", name, p->reason);
	skip();
}

static inline void need(int error, const char *what)
{
	if (!error)
		return;
	print_message("# skipped: no %s here: %s\n", what, strerror(-error));
	skip();
}

static inline int start_asking(void **state)
{
	struct asker *a = calloc(1, sizeof(*a));

	if (!a || sentinel_new(trace_under_test(), &a->sentinel))
		return -1;
	*state = a;
	return inventory_new(sentinel_kernel_source(a->sentinel), &a->inventory);
}

static inline int stop_asking(void **state)
{
	struct asker *a = *state;

	inventory_free(a->inventory);
	sentinel_free(a->sentinel);
	free(a);
	return 0;
}

static inline void read_table(const struct asker *a, uint16_t port, struct bind_table *ret)
{
	const struct bindtable_question question = { .protocol = IPPROTO_TCP, .port = port };

	need_probe(a, "walk");
	need_probe(a, "grips");
	assert_int_equal(bindtable_read(sentinel_kernel_source(a->sentinel), &question, ret), 0);
}

/* The only owner of the port, and what holds it. */
static inline struct bind_owner find_file_ref(const struct asker *a, uint16_t port,
					      struct file_ref *ret)
{
	struct bind_table table;
	struct bind_owner owner;

	read_table(a, port, &table);
	assert_int_equal(table.n_owners, 1);
	owner = table.owners[0];
	bindtable_deinit(&table);
	assert_true(owner.file_id);
	assert_int_equal(inventory_find_file_refs(a->inventory, &owner, 1, ret), 0);
	return owner;
}

static inline size_t count_holders(const struct asker *a, uint16_t port)
{
	const struct socket_row *row;
	size_t n = 0;

	assert_int_equal(inventory_resync(a->inventory, 0, NULL, NULL), 0);
	if (inventory_by_port(a->inventory, 0, port, &row, 1) == 1)
		n = row->n_holders;
	return n;
}

static inline const struct holder *first_holder(const struct asker *a, uint16_t port)
{
	const struct socket_row *row;

	assert_int_equal(inventory_by_port(a->inventory, 0, port, &row, 1), 1);
	assert_true(row->n_holders > 0);
	return &row->holders[0];
}

static inline void assert_process(const struct file_ref *file_ref, pid_t pid)
{
	struct process_id id = identity(pid);

	assert_int_equal(file_ref->process.pid, pid);
	assert_true(process_id_equal(&file_ref->process, &id));
}

/* What holds the only owner of the port, all in all: a process (0: nobody) by this many of each. */
static inline void assert_file_ref(const struct asker *a, uint16_t port, enum file_ref_kind kind,
				   pid_t pid, unsigned descriptors, unsigned references)
{
	struct file_ref file_ref;

	find_file_ref(a, port, &file_ref);
	assert_int_equal(file_ref.kind, kind);
	if (pid)
		assert_process(&file_ref, pid);
	else
		assert_int_equal(file_ref.process.pid, 0);
	assert_int_equal(file_ref.descriptors, descriptors);
	assert_int_equal(file_ref.references, references);
	assert_true(file_ref.complete);
}

/* A file reference that no descriptor shares. */
static inline void assert_only_file_ref(const struct asker *a, uint16_t port,
					enum file_ref_kind kind, pid_t pid)
{
	assert_file_ref(a, port, kind, pid, 0, 1);
	assert_int_equal(count_holders(a, port), 0);
}

/* The child gives its descriptor up for another file reference, and is named for that. */
static inline void assert_child_is_named(const struct asker *a, void (*run)(struct told *told),
					 const char *what, enum file_ref_kind kind)
{
	struct child child = start_and_hear(run);

	need(child.told.error, what);
	assert_only_file_ref(a, child.told.port, kind, child.pid);
}

/* One inventory for all tests. */
#define ASKING_TEST_MAIN(setup, teardown)                                                  \
	int main(void)                                                                     \
	{                                                                                  \
		set_up_each_test(NULL, end_children);                                      \
		return cmocka_run_group_tests_name(__BASE_FILE__, tests, setup, teardown); \
	}

#endif
