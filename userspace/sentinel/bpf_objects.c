/* SPDX-License-Identifier: MIT */
#include "sentinel/bpf_objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sentinel/bpf_load.h"
#include "sentinel/kernel_types.h"

#define ALL_PROBES ((1U << _PROBE_MAX) - 1)

/* What a load is to have: the programs of some probes; those of the other object do not matter. */
struct choice {
	enum sentinel_trace trace;
	unsigned probes; /* a bit for each */
	bool may_cast;
	bool helpers_of_5_10; /* the object that listens is listen_5_10.bpf.c's */
};

static void choose_programs(struct bpf_object *object, const struct choice *choice)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object) bpf_program__set_autoload(program, false);
	for (int i = 0; i < _PROBE_MAX; i++) {
		const struct probe_row *row = probe_row(choice->trace, i);

		for (int k = 0; k < PROBE_PROGRAMS_MAX && row->programs[k]; k++) {
			program = bpf_object__find_program_by_name(object, row->programs[k]);
			/* some are in two probes, and many in the other object */
			if (program && choice->probes & 1U << i)
				bpf_program__set_autoload(program, true);
		}
	}
}

static int load_programs(struct bpf_object_skeleton *skeleton, struct bpf_object *object,
			 uint32_t abi_version, const struct choice *choice)
{
	if (abi_version != ABI_VERSION)
		return -EPROTO;
	choose_programs(object, choice);
	return bpf_object__load_skeleton(skeleton);
}

_Static_assert(sizeof(struct portdaddy_listen__bss) == sizeof(struct portdaddy_listen_5_10__bss) &&
		       sizeof(struct portdaddy_listen__rodata) ==
			       sizeof(struct portdaddy_listen_5_10__rodata),
	       "one layout of the variables");

/* Its maps, programs and variables are found by the names that both objects have. */
static struct portdaddy_listen *open_listen_5_10(void)
{
	struct portdaddy_listen *skel = calloc(1, sizeof(*skel));

	if (!skel || portdaddy_listen__create_skeleton(skel)) {
		free(skel);
		errno = ENOMEM;
		return NULL;
	}
	skel->skeleton->data = (void *)portdaddy_listen_5_10__elf_bytes(&skel->skeleton->data_sz);
	if (bpf_object__open_skeleton(skel->skeleton, NULL)) {
		int error = errno;

		portdaddy_listen__destroy(skel);
		errno = error;
		return NULL;
	}
	return skel;
}

static int load_listen(const struct choice *choice, struct portdaddy_listen **ret)
{
	struct portdaddy_listen *skel;
	int r;

	bpf_load_reset_message();
	skel = choice->helpers_of_5_10 ? open_listen_5_10() : portdaddy_listen__open();
	if (!skel)
		return -errno;
	skel->rodata->bind_number = SYS_bind;
	skel->rodata->calls_are_traced = choice->trace != SENTINEL_TRACE_HOOKS;
	skel->rodata->may_cast = choice->may_cast;
	skel->rodata->may_probe = bpf_load_probing_is_allowed();
	skel->rodata->may_see_answers = bpf_load_answers_can_be_seen();
	r = load_programs(skel->skeleton, skel->obj, skel->rodata->abi_version, choice);
	if (r < 0) {
		portdaddy_listen__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}

static int load_ask(const struct choice *choice, struct portdaddy_ask **ret)
{
	struct portdaddy_ask *skel;
	int r;

	bpf_load_reset_message();
	skel = portdaddy_ask__open();
	if (!skel)
		return -errno;
	skel->rodata->may_cast = choice->may_cast;
	r = load_programs(skel->skeleton, skel->obj, skel->rodata->abi_version, choice);
	if (r < 0) {
		portdaddy_ask__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}

/* --- both at once --- */

/* What the second thread loads, and how that ended. */
struct ask_load {
	const struct choice *choice;
	struct portdaddy_ask *skel; /* NULL: it was refused */
	int error;
};

static void *run_ask_load(void *user_data)
{
	struct ask_load *load = user_data;

	load->error = load_ask(load->choice, &load->skel);
	return NULL;
}

static int load_both(const struct choice *choice, struct bpf_objects *ret)
{
	struct ask_load ask = { .choice = choice };
	struct portdaddy_listen *listen = NULL;
	pthread_t thread;
	bool at_once = pthread_create(&thread, NULL, run_ask_load, &ask) == 0;
	int r = load_listen(choice, &listen);

	if (at_once)
		pthread_join(thread, NULL);
	else
		run_ask_load(&ask);
	*ret = (struct bpf_objects){ choice->trace, listen, ask.skel };
	r = r ?: ask.error;
	if (r < 0)
		bpf_objects_destroy(ret);
	return r;
}

/* --- one by one, where not everything is taken --- */

static int try_alone(enum probe probe, struct choice choice)
{
	struct bpf_objects alone = { 0 };
	int r;

	choice.probes = 1U << probe;
	r = probe >= PROBE_WALK ? load_ask(&choice, &alone.ask)
				: load_listen(&choice, &alone.listen);

	bpf_objects_destroy(&alone);
	return r;
}

/* Who may not even create a map need not try to load anything.  0, negative errno. */
static int try_to_create_a_map(void)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	return fd < 0 ? -errno : 0;
}

static void find_refused_probes(struct sentinel_probe *probes, const struct choice *choice)
{
	for (int i = 0; i < _PROBE_MAX; i++) {
		int r;

		if (probes[i].state == SENTINEL_PROBE_REFUSED ||
		    !probe_row(choice->trace, i)->programs[0])
			continue;
		r = try_alone(i, *choice);
		if (r < 0)
			probe_refuse(&probes[i], bpf_load_message(), r);
	}
}

static unsigned not_refused(const struct sentinel_probe *probes)
{
	unsigned mask = 0;

	for (int i = 0; i < _PROBE_MAX; i++)
		if (probes[i].state != SENTINEL_PROBE_REFUSED)
			mask |= 1U << i;
	return mask;
}

/* Whatever is refused is refused of all the types. */
static int load_by_subset(const struct choice *choice, struct bpf_objects *ret,
			  const char **ret_types_refused)
{
	struct types_subset_object objects[2];
	int r;

	objects[0].bytes = portdaddy_listen__elf_bytes(&objects[0].size);
	objects[1].bytes = portdaddy_ask__elf_bytes(&objects[1].size);
	*ret_types_refused = kernel_types_use_subset(objects, ARRAY_SIZE(objects));
	r = load_both(choice, ret);
	kernel_types_use_all();
	return r;
}

int bpf_objects_load(enum sentinel_trace trace, struct sentinel_probe *probes,
		     struct bpf_objects *ret, const char **ret_types_refused)
{
	struct choice choice = { .trace = trace, .probes = ALL_PROBES, .may_cast = true };
	int r = try_to_create_a_map();
	const char *missing;

	if (r < 0)
		return probes_refuse_from(0, probes,
					  r == -EPERM ? "no permission to use BPF" : NULL, r);
	r = load_by_subset(&choice, ret, ret_types_refused);
	missing = r < 0 ? bpf_load_missing() : NULL;
	if (missing) {
		probes_refuse_from(PROBE_HOLDERS, probes, missing, -EOPNOTSUPP);
		choice.probes = not_refused(probes);
		choice.helpers_of_5_10 = true;
	}
	if (r < 0)
		r = load_both(&choice, ret);
	if (r == 0)
		return 0;
	choice.may_cast = !missing && try_alone(PROBE_SET_STATE, choice) == 0;
	find_refused_probes(probes, &choice);
	choice.probes = not_refused(probes);
	return load_both(&choice, ret);
}

/* --- what is kept --- */

/* libbpf closes the number once more at the end: it leads nowhere until then, and to nobody else.
 */
static void lead_nowhere(int fd, int nowhere)
{
	if (fd >= 0)
		dup3(nowhere, fd, O_CLOEXEC);
}

static void let_go(struct bpf_object *object, int nowhere,
		   const struct bpf_program *const *programs, const struct bpf_map *const *maps)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program(program, object)
	{
		size_t i = 0;

		while (programs[i] && programs[i] != program)
			i++;
		if (!programs[i])
			lead_nowhere(bpf_program__fd(program), nowhere);
	}
	bpf_object__for_each_map(map, object)
	{
		size_t i = 0;

		while (maps[i] && maps[i] != map)
			i++;
		if (!maps[i])
			lead_nowhere(bpf_map__fd(map), nowhere);
	}
}

void bpf_objects_let_go(const struct bpf_objects *objects)
{
	const struct portdaddy_listen *listen = objects->listen;
	const struct portdaddy_ask *ask = objects->ask;
	_cleanup_close_ int nowhere = eventfd(0, EFD_CLOEXEC);

	if (nowhere < 0)
		return;
	let_go(listen->obj, nowhere, (const struct bpf_program *[]){ listen->progs.pass, NULL },
	       /* the kernel takes a map's timers away with its last descriptor: the alarms stay */
	       (const struct bpf_map *[]){
		       listen->maps.ring, listen->maps.alarms, listen->maps.tracked,
		       listen->maps.holders, listen->maps.launchers, listen->maps.members,
		       listen->maps.runs, listen->maps.run_rules, listen->maps.siblings,
		       listen->maps.protected_ports, NULL });
	let_go(ask->obj, nowhere,
	       (const struct bpf_program *[]){ ask->progs.walk, ask->progs.recheck, NULL },
	       (const struct bpf_map *[]){ ask->maps.file_ref_targets, NULL });
}

void bpf_objects_destroy(struct bpf_objects *objects)
{
	portdaddy_ask__destroy(objects->ask);
	portdaddy_listen__destroy(objects->listen);
	*objects = (struct bpf_objects){ 0 };
}

struct bpf_program *bpf_objects_program(const struct bpf_objects *objects, const char *name)
{
	return bpf_object__find_program_by_name(objects->listen->obj, name)
		       ?: bpf_object__find_program_by_name(objects->ask->obj, name);
}
