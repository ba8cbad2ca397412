/* SPDX-License-Identifier: MIT */
/* Records of the eBPF programs: the ring buffer's, and those of a pass over everything that holds
 * a file. */
#include "sentinel/decode.h"

#include "fuzz/fuzz.h"
#include "inventory/file_refs_pass.h"

#define TICKS_PER_S 100
#define TARGETS	    64 /* files that a pass looks for */

static void check_process(const struct process *p)
{
	must(fuzz_ends(p->comm, sizeof(p->comm)));
	must(fuzz_ends(p->exe, sizeof(p->exe)) && fuzz_ends(p->cwd, sizeof(p->cwd)));
	must(p->n_ancestors <= PROCESS_ANCESTORS_MAX);
	for (int i = 0; i < p->n_ancestors; i++)
		must(fuzz_ends(p->ancestors[i].comm, sizeof(p->ancestors[i].comm)));
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct file_ref_record file_ref;
	struct event event;

	if (decode_event(bytes, size, TICKS_PER_S, &event) == 0) {
		must(event.kind > 0 && event.kind < _EVENT_KIND_MAX);
		must(fuzz_ends(event.comm, sizeof(event.comm)));
		must(event.n_owners <= EVENT_OWNERS_MAX && event.stage < _EVENT_STAGE_MAX);
		must(event_kind_name(event.kind) != NULL);
		check_process(&event.process);
	}
	if (file_refs_pass_decode(bytes, size, TARGETS, TICKS_PER_S, &file_ref) == 0)
		must(file_ref.target < TARGETS);
	return 0;
}
