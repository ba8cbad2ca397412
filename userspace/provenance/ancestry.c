/* SPDX-License-Identifier: MIT */
#include "provenance/ancestry.h"

#include "base/procfs.h"

void ancestry_read(pid_t pid, struct ancestry *ret)
{
	struct process process;

	for (ret->n = 0; pid > 1 && ret->n < ANCESTRY_MAX; pid = process.ppid) {
		if (procfs_describe_briefly(pid, &process))
			return;
		ret->list[ret->n++] = process.id;
	}
}

bool ancestry_has(const struct ancestry *ancestry, const struct process_id *id)
{
	for (size_t i = 0; i < ancestry->n; i++)
		if (process_id_equal(&ancestry->list[i], id))
			return true;
	return false;
}
