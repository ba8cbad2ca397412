/* SPDX-License-Identifier: MIT */
#include "cli/client/polling.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own_pd.h"
#include "cli/client/answer.h"

bool polling_is(struct json_object *status)
{
	return strcmp(answer_text(answer_member(status, "kernel"), "mode"), "bpf") != 0;
}

const char *polling_words(struct json_object *status, char ret[POLLING_WORDS_SIZE])
{
	static const char blind[] = "it misses refused binds, and names processes of its own user "
				    "only";
	const char *why_not = answer_text(answer_member(status, "kernel"), "whyNot");
	char pd[OWN_PD_SIZE];

	/* what root was refused, nobody else is given */
	if (geteuid() == 0)
		snprintf(ret, POLLING_WORDS_SIZE, "%s: %.200s", blind, why_not);
	else
		snprintf(ret, POLLING_WORDS_SIZE, "%s; with eBPF: %s daemon start", blind,
			 own_pd_sudo(pd));
	return ret;
}
