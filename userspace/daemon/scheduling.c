/* SPDX-License-Identifier: MIT */
#include "daemon/scheduling.h"

#include <fcntl.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE_NS (100 * 1000) /* the shortest that the kernel takes */

static void ask_for_short_slices(void)
{
	struct sched_attr attr = { 0 };

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		return;
	attr.sched_runtime = SLICE_NS;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

/* Who is started from a terminal is also ended from there: Ctrl-C reaches that session only. */
static void leave_session(void)
{
	int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

	if (terminal < 0)
		setsid();
	else
		close(terminal);
}

void scheduling_ask(void)
{
	ask_for_short_slices();
	leave_session();
}
