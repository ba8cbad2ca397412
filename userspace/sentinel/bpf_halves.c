/* SPDX-License-Identifier: MIT */
#include "sentinel/bpf_halves.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "sentinel/bpf_load.h"

#define ALL_PROBES ((1U << _PROBE_MAX) - 1)
#define LISTENING  ((1U << PROBE_LOOK) - 1) /* the probes before that one */
_Static_assert(PROBE_HOLDERS + 1 == (int)PROBE_LOOK, "probes that track sockets come first");

static bool is_asked(enum probe probe)
{
	return !(LISTENING & 1U << probe);
}

/* One half, and how its load ended. */
struct half {
	unsigned wanted; /* a bit for each probe */
	bool may_cast;
	struct portdaddy_bpf *skel; /* NULL: nothing of it is wanted, or it was refused */
	int error;
};

static void leave_maps_out(struct portdaddy_bpf *skel, unsigned wanted)
{
	struct bpf_map *const listening[] = { skel->maps.ring,	    skel->maps.tracked,
					      skel->maps.marked,    skel->maps.holders,
					      skel->maps.calls,	    skel->maps.alarms,
					      skel->maps.described, skel->maps.pass_scratch };
	struct bpf_map *const asked[] = { skel->maps.walk_answer, skel->maps.roll,
					  skel->maps.grip_targets };

	for (size_t i = 0; i < ARRAY_SIZE(listening) && !(wanted & LISTENING); i++)
		bpf_map__set_autocreate(listening[i], false);
	for (size_t i = 0; i < ARRAY_SIZE(asked) && !(wanted & ~LISTENING); i++)
		bpf_map__set_autocreate(asked[i], false);
}

static void choose_programs(struct portdaddy_bpf *skel, unsigned wanted)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, skel->obj) bpf_program__set_autoload(program, false);
	for (int i = 0; i < _PROBE_MAX; i++) {
		for (int k = 0; k < PROBE_PROGRAMS_MAX && probe_rows[i].programs[k]; k++) {
			program = bpf_object__find_program_by_name(skel->obj,
								   probe_rows[i].programs[k]);
			/* some are in two probes */
			if (wanted & 1U << i)
				bpf_program__set_autoload(program, true);
		}
	}
}

static int load_object(const struct half *half, struct portdaddy_bpf **ret)
{
	struct portdaddy_bpf *skel;
	int r;

	bpf_load_reset_message();
	skel = portdaddy_bpf__open();
	if (!skel)
		return -errno;
	skel->rodata->bind_number = SYS_bind;
	skel->rodata->may_cast = half->may_cast;
	skel->rodata->may_probe = bpf_load_probing_is_allowed();
	skel->rodata->may_see_answers = bpf_load_answers_can_be_seen();
	leave_maps_out(skel, half->wanted);
	choose_programs(skel, half->wanted);
	r = skel->rodata->abi_version == ABI_VERSION ? portdaddy_bpf__load(skel) : -EPROTO;
	if (r < 0) {
		portdaddy_bpf__destroy(skel);
		return r;
	}
	*ret = skel;
	return 0;
}

static void *load_half(void *half)
{
	struct half *h = half;

	h->error = load_object(h, &h->skel);
	return NULL;
}

static unsigned not_refused(const struct sentinel_probe *probes)
{
	unsigned mask = 0;

	for (int i = 0; i < _PROBE_MAX; i++)
		if (probes[i].state != SENTINEL_PROBE_REFUSED)
			mask |= 1U << i;
	return mask;
}

static int load_both(unsigned wanted, bool may_cast, struct halves *ret)
{
	struct half listening = { .wanted = wanted & LISTENING, .may_cast = may_cast };
	struct half asked = { .wanted = wanted & ~LISTENING, .may_cast = may_cast };
	pthread_t thread;
	bool at_once = pthread_create(&thread, NULL, load_half, &asked) == 0;

	load_half(&listening);
	if (at_once)
		pthread_join(thread, NULL);
	else
		load_half(&asked);
	*ret = (struct halves){ listening.skel, asked.skel };
	if (!listening.error && !asked.error)
		return 0;
	halves_destroy(ret);
	return listening.error ? listening.error : asked.error;
}

static int try_alone(int probe, bool may_cast)
{
	const struct half alone = { .wanted = 1U << probe, .may_cast = may_cast };
	struct portdaddy_bpf *skel;
	int r = load_object(&alone, &skel);

	if (r == 0)
		portdaddy_bpf__destroy(skel);
	return r;
}

/* Who may not even create a map need not try program by program.  0, negative errno. */
static int try_to_create_a_map(void)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, NULL, 4, 4, 1, NULL);

	return fd < 0 ? -errno : 0;
}

static void find_refused_probes(struct sentinel_probe *probes, bool may_cast)
{
	for (int i = 0; i < _PROBE_MAX; i++) {
		int r = probe_rows[i].programs[0] ? try_alone(i, may_cast) : 0;

		if (r < 0)
			probe_refuse(&probes[i], bpf_load_message(), r);
	}
}

int halves_load(struct sentinel_probe *probes, struct halves *ret)
{
	int r = load_both(ALL_PROBES, true, ret);
	bool may_cast;

	if (r == 0)
		return 0;
	r = try_to_create_a_map();
	if (r < 0) {
		for (int i = 0; i < _PROBE_MAX; i++)
			probe_refuse(&probes[i], r == -EPERM ? "no permission to use BPF" : NULL,
				     r);
		return r;
	}
	may_cast = try_alone(PROBE_SET_STATE, true) == 0;
	find_refused_probes(probes, may_cast);
	return load_both(not_refused(probes), may_cast, ret);
}

void halves_destroy(struct halves *h)
{
	portdaddy_bpf__destroy(h->asked);
	portdaddy_bpf__destroy(h->listening);
	*h = (struct halves){ 0 };
}

struct bpf_object *halves_object(const struct halves *h, enum probe probe)
{
	return is_asked(probe) ? h->asked->obj : h->listening->obj;
}
