/* SPDX-License-Identifier: MIT */
/* The holder comes back as soon as it is killed; its supervisor has to be stopped. */
#include "case.h"

static void run_supervisor(struct scene *s)
{
	int up[2], pid;

	need(pipe2(up, O_CLOEXEC) == 0);
	for (;;) {
		pid = fork();
		need(pid >= 0);
		if (!pid) {
			prctl(PR_SET_NAME, "server");
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			holder_listen(s);
			need(write(up[1], "", 1) == 1);
			for (;;)
				pause();
		}
		need(read(up[0], &(char){ 0 }, 1) == 1);
		if (write(s->tell_fd, &pid, sizeof(pid)) != sizeof(pid))
			_exit(0);
		waitpid(pid, NULL, 0);
	}
}

static void start_supervisor(struct scene *s)
{
	s->first = actor_start(s, "supervisor", run_supervisor);
	need(kill(s->first.told, SIGKILL) == 0);
	must_be_named(s, actor_hear(&s->first));
	may_be_named(s, s->first.pid); /* to be ended with it */
}

static void stop_both(struct scene *s)
{
	pid_t server = s->first.told;

	actor_kill(&s->first);
	kill_stray(server);
}

const struct scenario scenario = {
	.verdict = "listener",
	.set_up = start_supervisor,
	.remedy = stop_both,
	.comes_back = true,
};
