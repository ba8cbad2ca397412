/* SPDX-License-Identifier: MIT */
/*
 * portdaddyd: composes the rooms and runs the loop.  The order is the security argument: what needs
 * privilege is opened first, privilege is dropped for good, the kernel is asked to hold the rest to
 * what it needs, and only then is anything read that a client or a file of the user has written.
 */
#include <errno.h>
#include <event2/event.h>
#include <libgen.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "api/api.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/outcome.h"
#include "base/paths.h"
#include "daemon/backup.h"
#include "daemon/descriptors.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/place.h"
#include "daemon/privileges.h"
#include "daemon/sandbox.h"
#include "daemon/scheduling.h"
#include "daemon/state.h"
#include "daemon/wall_clock.h"
#include "database/backup.h"
#include "http/reserve.h"
#include "inventory/inventory.h"
#include "registry/registry.h"
#include "sentinel/sentinel.h"
#include "tracker/prompts.h"
#include "tracker/tracker.h"

#define STOP_SIGNALS 3

struct daemon {
	struct identity_target target;
	struct state state;
	struct sandbox_report sandbox;
	struct event_base *loop;
	struct event *stop_events[STOP_SIGNALS];
	struct event *watchdog;
	struct sentinel *sentinel;
	struct inventory *inventory;
	struct registry *registry;
	struct prompts *prompts;
	struct tracker *tracker;
	struct api *api;
	struct place *place;
	struct wall_clock *wall_clock;
	struct backup *backup;
	int lost; /* -ESTALE once the place was: the daemon ends */
};

static void warn_not_tracked(const struct process_id *id, int error)
{
	if (id)
		log_warning("process %d is not tracked: %s", id->pid, strerror(-error));
	else
		log_warning("a socket is not tracked: %s", strerror(-error));
}

static int new_inventory(struct daemon *d)
{
	struct kernel_source kernel = *sentinel_kernel_source(d->sentinel);

	kernel.not_tracked = warn_not_tracked;
	return inventory_new(&kernel, &d->inventory);
}

/* --- what tracker needs of sentinel --- */

static int dispatch(void *user_data, const struct sentinel_slice *slice, sentinel_handler handler,
		    void *handler_data, bool *ret_resync)
{
	return sentinel_dispatch(user_data, slice, handler, handler_data, ret_resync);
}

static struct sentinel_counters counters(void *user_data)
{
	return sentinel_counters(user_data);
}

/* Beside the service's socket, else in the state directory; a daemon can do without. */
static void open_prompts(struct daemon *d)
{
	char directory[STATE_PATH_SIZE];
	int r;

	snprintf(directory, sizeof(directory), "%s", d->state.socket);
	r = prompts_new(strcmp(d->state.socket, PATHS_SYSTEM_SOCKET) ? d->state.directory
								     : dirname(directory),
			d->target.started_by_root, &d->prompts);
	if (r)
		log_warning("prompts are not told of refused calls: no directory for them: %s",
			    strerror(-r));
}

static int new_tracker(struct daemon *d)
{
	const struct tracker_config config = {
		.loop = d->loop,
		.source = {
			.fd = sentinel_fd(d->sentinel),
			.dispatch = dispatch,
			.counters = counters,
			.report = sentinel_report(d->sentinel),
			.user_data = d->sentinel,
		},
		.inventory = d->inventory,
		.registry = d->registry,
		.prompts = d->prompts,
	};

	return tracker_new(&config, &d->tracker);
}

/* --- start, in order --- */

static int become_for_files(const struct identity_target *target, char *ret_error)
{
	int r = privileges_as_user(target, true);

	if (r)
		snprintf(ret_error, STATE_ERROR_SIZE,
			 "cannot become %s: %s (this root lacks CAP_SETUID or CAP_SETGID, or its "
			 "namespace has no such user; start without --user)",
			 target->name, strerror(-r));
	return r;
}

/* The file that pd opens for the daemon that it starts; another stderr is somebody else's. */
static void bound_log(const struct state *s)
{
	char path[STATE_PATH_SIZE + 32];

	snprintf(path, sizeof(path), "%s/%s", s->directory, PATHS_LOG_NAME);
	log_bound_file(path);
}

/* The directory, the lock and the socket's place, made as the user that the daemon becomes. */
static int take_state(struct daemon *d, const struct options *options)
{
	char error[STATE_ERROR_SIZE] = "";
	int r = state_find(options->service, &d->target, &d->state, error);
	int back;

	r = r ?: become_for_files(&d->target, error);
	r = r ?: state_lock(&d->state, error);
	back = privileges_as_user(&d->target, false);
	if (r)
		log_error("%s", error);
	else
		bound_log(&d->state);
	return r ? r : back;
}

static int open_kernel(struct daemon *d, const struct options *options)
{
	const char *refused;
	int r;

	sentinel_keep_types_in(d->state.directory_fd);
	r = sentinel_new(options->trace, &d->sentinel);
	if (r) {
		log_error("the kernel gives no socket events at all: %s", strerror(-r));
		return r;
	}
	refused = sentinel_report(d->sentinel)->types_refused;
	if (refused)
		log_info("%s/" SENTINEL_TYPES_FILE " is not used, but made anew: %s",
			 d->state.directory, refused);
	r = new_inventory(d);
	if (r)
		log_error("the kernel's socket tables cannot be read: %s", strerror(-r));
	return r;
}

static int drop_privileges(const struct daemon *d, const struct options *options)
{
	int r = privileges_drop(&d->target);

	if (r) {
		log_error("privileges were not given up: %s", strerror(-r));
		return r;
	}
	if (d->target.stays_root)
		log_info("running as root without any capability (no --user, no sudo user, no user "
			 "\"port-daddy\", or no right to become that one)");
	else if (d->target.started_by_root || options->service)
		log_info("running as %s without any capability", d->target.name);
	return 0;
}

static void enter_sandbox(struct daemon *d, const struct options *options)
{
	const struct kernel_source *kernel = sentinel_kernel_source(d->sentinel);
	const struct sandbox_config config = {
		.directory = d->state.directory,
		.socket = d->state.socket,
		.socket_directory_is_own = !strcmp(d->state.socket, PATHS_SYSTEM_SOCKET),
		.reads_descriptors = !kernel->look || !kernel->open_holder_pass,
	};
	static const char by_option[] = "it was started with --no-sandbox";

	if (options->no_sandbox)
		d->sandbox = (struct sandbox_report){ .without_system_calls = by_option };
	else
		sandbox_enter(&config, &d->sandbox);
	if (!d->sandbox.system_calls)
		log_info("every system call is left: %s", d->sandbox.without_system_calls);
}

static int open_registry(struct daemon *d, const struct options *options)
{
	char error[REGISTRY_NEWS_SIZE] = "";
	int r = options->restore ? backup_restore(d->state.database, error, sizeof(error)) : 0;

	if (!r && *error)
		log_warning("%s", error);
	r = r ?: registry_open(d->state.database, &d->registry, error, sizeof(error));
	if (r)
		log_error("%s", error);
	else
		registry_set_activity_limits(d->registry, &options->log);
	return r;
}

/* What the registry has met while it was opened. */
static void tell_of_registry(struct daemon *d)
{
	const char *news = registry_news(d->registry);

	if (news)
		tracker_tell(d->tracker, news);
	if (registry_refuses(d->registry))
		log_error("%s", registry_strerror(d->registry, -EUCLEAN));
}

static void on_clock_changed(void *user_data)
{
	struct daemon *d = user_data;

	api_clock_changed(d->api);
	tracker_clock_changed(d->tracker);
}

/* What clients may open, counted when the daemon has nearly all of its own. */
static int count_descriptors(unsigned *ret)
{
	char error[DESCRIPTORS_ERROR_SIZE];
	int r = descriptors_left(ret, error);

	if (r)
		log_error("%s", error);
	return r;
}

static int serve(struct daemon *d)
{
	char error[STATE_ERROR_SIZE] = "";
	struct api_config config = {
		.loop = d->loop,
		.registry = d->registry,
		.inventory = d->inventory,
		.sentinel = d->sentinel,
		.database_path = d->state.database,
		.sandbox = d->sandbox,
		.started_at = time(NULL),
		.booted_at = (clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME)) / 1000,
	};
	int r;

	open_prompts(d);
	r = new_tracker(d);
	if (r)
		return r;
	r = state_listen(&d->state, error);
	if (r) {
		log_error("%s", error);
		return r;
	}
	config.tracker = d->tracker;
	r = count_descriptors(&config.descriptors);
	if (r)
		return r;
	r = api_new(&config, TAKE_FD(d->state.listen_fd), &d->api);
	r = r ?: wall_clock_new(d->loop, on_clock_changed, d, &d->wall_clock);
	r = r ?: tracker_start(d->tracker);
	r = r ?: backup_new(d->loop, d->registry, &d->backup);
	r = r ?: notify_watchdog_new(d->loop, &d->watchdog);
	if (r) {
		log_error("cannot serve: %s", registry_strerror(d->registry, r));
		return r;
	}
	api_watch_processes(d->api);
	tell_of_registry(d);
	return 0;
}

/*
 * A daemon that nobody reaches, or beside which another may start in the same directory, would go
 * on with its programs in the kernel and its hands in the database.  What it knows is on the disk:
 * the next one, which pd or the service manager starts, goes on with it.
 */
static void on_lost_place(const char *why, void *user_data)
{
	struct daemon *d = user_data;

	log_error("%s; ending, the next pd starts a daemon on what is there", why);
	d->lost = -ESTALE;
	event_base_loopbreak(d->loop);
}

static void watch_place(struct daemon *d)
{
	int r = place_new(d->loop, &d->state, on_lost_place, d, &d->place);

	if (r)
		log_warning("when %s or %s is removed, it is not noticed: %s", d->state.lock,
			    d->state.socket, strerror(-r));
}

static void on_stop_signal(evutil_socket_t signal, short what, void *user_data)
{
	struct daemon *d = user_data;

	log_info("stopping (signal %d)", (int)signal);
	event_base_loopbreak(d->loop);
}

static int new_loop(struct daemon *d)
{
	static const int signals[STOP_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };

	d->loop = event_base_new();
	/* Three levels, of which the middle one is the default: commits and the
	 * explanations of refusals come last in a turn. */
	if (!d->loop || event_base_priority_init(d->loop, 3))
		return -ENOMEM;
	for (int i = 0; i < STOP_SIGNALS; i++) {
		d->stop_events[i] = evsignal_new(d->loop, signals[i], on_stop_signal, d);
		if (!d->stop_events[i] || event_add(d->stop_events[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

/* Who is not root is held to the lower need: whether eBPF can be had is not known yet. */
static int raise_descriptors(const struct options *options)
{
	bool with_ebpf = options->trace != SENTINEL_TRACE_NONE && geteuid() == 0;
	char error[DESCRIPTORS_ERROR_SIZE];
	int r = descriptors_raise(with_ebpf, error);

	if (r)
		log_error("%s", error);
	return r;
}

static int start(struct daemon *d, const struct options *options)
{
	int r = raise_descriptors(options);

	if (r)
		return r;
	r = privileges_choose(options->user, &d->target);
	if (r) {
		log_error(r == -ENOENT ? "there is no user '%s'"
				       : "only root may become another user ('%s')",
			  options->user);
		return r;
	}
	r = take_state(d, options);
	r = r ?: open_kernel(d, options);
	r = r ?: drop_privileges(d, options);
	if (!r && sentinel_report(d->sentinel)->mode == SENTINEL_MODE_BPF)
		state_note_ebpf(&d->state);
	if (!r)
		enter_sandbox(d, options);
	r = r ?: open_registry(d, options);
	r = r ?: new_loop(d);
	r = r ?: serve(d);
	if (!r)
		watch_place(d);
	return r;
}

static void deinit(struct daemon *d)
{
	place_free(d->place);
	wall_clock_free(d->wall_clock);
	backup_free(d->backup);
	api_free(d->api);
	tracker_free(d->tracker);
	prompts_free(d->prompts);
	registry_close(d->registry);
	inventory_free(d->inventory);
	sentinel_free(d->sentinel);
	for (int i = 0; i < STOP_SIGNALS; i++)
		if (d->stop_events[i])
			event_free(d->stop_events[i]);
	if (d->watchdog)
		event_free(d->watchdog);
	if (d->loop)
		event_base_free(d->loop);
	state_deinit(&d->state);
}

static int exit_code(int error)
{
	enum outcome outcome = error == -EBUSY || error == -EADDRINUSE ? OUTCOME_CONFLICT
								       : outcome_of_errno(error);

	return outcome_row(error ? outcome : OUTCOME_OK)->exit_code;
}

/* To load BPF takes far more memory than to run it: a heap, and libraries that are not looked into
 * again. */
static void trim_start(void)
{
	malloc_trim(0);
	memory_let_go_of_code();
}

int main(int argc, char **argv)
{
	struct daemon d = { .state = { .directory_fd = -1, .lock_fd = -1, .listen_fd = -1 } };
	struct options options;
	int r, code;

	if (options_parse(argc, argv, &options, &code))
		return code;
	if (options.debug)
		log_set_level(LOG_LEVEL_DEBUG);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	scheduling_ask();
	/* The threads wait, and allocate nearly nothing: an arena each is memory for nobody. */
	mallopt(M_ARENA_MAX, 1);
	reserve_begin();

	r = start(&d, &options);
	if (!r) {
		trim_start();
		log_info("listening on %s", d.state.socket);
		if (notify_manager("READY=1"))
			log_warning("the service manager was not told that we are ready");
		r = event_base_dispatch(d.loop) < 0 ? -EIO : d.lost;
		notify_manager("STOPPING=1");
		/* of a database that is gone nothing more is to be said */
		if (!registry_files_check(d.registry))
			tracker_stop(d.tracker);
	}
	deinit(&d);
	log_say_left_out();
	return exit_code(r);
}
