/* SPDX-License-Identifier: MIT */
/* The state directory's lock and socket: whose they are, and what is removed. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/place.h"
#include "daemon/state.h"
#include "testing.h"
#include "unit/directory.h"
#include "unit/sockets.h"

#define DEADLINE_S 20

DEFINE_CLEANUP(struct place *, place_free);

struct room {
	char directory[64], socket[96], aside[96];
	struct identity_target target;
	struct state state;
	char error[STATE_ERROR_SIZE];
	struct event_base *loop;
	unsigned lost;
	char why[STATE_ERROR_SIZE];
};

static int find_and_lock(struct room *r)
{
	assert_int_equal(state_find(false, &r->target, &r->state, r->error), 0);
	return state_lock(&r->state, r->error);
}

static int setup(void **state)
{
	struct room *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	directory_make(r->directory);
	snprintf(r->socket, sizeof(r->socket), "%s/pd.sock", r->directory);
	snprintf(r->aside, sizeof(r->aside), "%s/aside", r->directory);
	setenv("PORT_DADDY_HOME", r->directory, 1);
	unsetenv("PORT_DADDY_SOCKET");
	r->target = (struct identity_target){ .uid = geteuid(), .gid = getegid(), .name = "me" };
	r->loop = event_base_new();
	assert_non_null(r->loop);
	assert_int_equal(find_and_lock(r), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	static const char *const left[] = { "pd.sock", "aside", "daemon.lock", "target" };
	struct room *r = *state;
	char path[128];

	state_deinit(&r->state);
	event_base_free(r->loop);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		snprintf(path, sizeof(path), "%s/%s", r->directory, left[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(r->directory), 0);
	free(r);
	return 0;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void make_file(const char *path)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
}

/* --- the socket's path --- */

static void expect_listen_fails(struct room *r, int error)
{
	assert_int_equal(state_listen(&r->state, r->error), error);
	if (!strstr(r->error, r->socket))
		fail_msg("\"%s\" does not name %s", r->error, r->socket);
	assert_true(exists(r->socket));
}

TEST_WITH(what_is_no_socket_is_not_removed, struct room *r)
{
	make_file(r->socket);
	expect_listen_fails(r, -EEXIST);
	assert_int_equal(unlink(r->socket), 0);
	assert_int_equal(symlink("nowhere", r->socket), 0);
	expect_listen_fails(r, -EEXIST);
	assert_int_equal(unlink(r->socket), 0);
	assert_int_equal(mkfifo(r->socket, 0600), 0);
	expect_listen_fails(r, -EEXIST);
}

TEST_WITH(socket_that_somebody_has_is_not_removed, struct room *r)
{
	_cleanup_close_ int stream = bound_unix_socket(SOCK_STREAM, r->socket);
	_cleanup_close_ int datagrams = -1;

	assert_int_equal(listen(stream, 1), 0);
	expect_listen_fails(r, -EADDRINUSE);
	assert_int_equal(unlink(r->socket), 0);
	datagrams = bound_unix_socket(SOCK_DGRAM, r->socket);
	expect_listen_fails(r, -EADDRINUSE);
}

TEST_WITH(socket_that_a_dead_server_left_is_replaced, struct room *r)
{
	static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		close(bound_unix_socket(kinds[i], r->socket));
		assert_int_equal(state_listen(&r->state, r->error), 0);
		assert_int_equal(state_check(&r->state, r->error), 0);
		state_deinit(&r->state);
		assert_false(exists(r->socket));
		assert_int_equal(find_and_lock(r), 0);
	}
}

/* --- at the end --- */

static void listen_here(struct room *r)
{
	if (state_listen(&r->state, r->error))
		fail_msg("%s", r->error);
}

TEST_WITH(own_socket_is_removed_at_the_end, struct room *r)
{
	listen_here(r);
	state_deinit(&r->state);
	assert_false(exists(r->socket));
}

TEST_WITH(socket_of_a_successor_is_not_removed, struct room *r)
{
	_cleanup_close_ int successor = -1;

	listen_here(r);
	assert_int_equal(unlink(r->socket), 0);
	successor = bound_unix_socket(SOCK_STREAM, r->socket);
	assert_int_equal(state_check(&r->state, r->error), -ESTALE);
	state_deinit(&r->state);
	assert_true(exists(r->socket));
}

TEST_WITH(socket_is_left_to_whoever_has_the_lock_now, struct room *r)
{
	listen_here(r);
	assert_int_equal(unlink(r->state.lock), 0);
	make_file(r->state.lock);
	assert_int_equal(state_check(&r->state, r->error), -ESTALE);
	state_deinit(&r->state);
	assert_true(exists(r->socket));
}

TEST_WITH(nothing_is_removed_by_a_daemon_that_never_listened, struct room *r)
{
	_cleanup_close_ int other = bound_unix_socket(SOCK_STREAM, r->socket);

	state_deinit(&r->state);
	assert_true(exists(r->socket));
}

/* --- what the kernel tells of it --- */

static void note_lost(const char *why, void *user_data)
{
	struct room *r = user_data;

	r->lost++;
	snprintf(r->why, sizeof(r->why), "%s", why);
	event_base_loopbreak(r->loop);
}

/* Turns the loop until it is told, or for what is there already. */
static void turn(struct room *r, bool until_told)
{
	static const struct timeval deadline = { .tv_sec = DEADLINE_S };

	if (!until_told) {
		event_base_loop(r->loop, EVLOOP_NONBLOCK);
		return;
	}
	event_base_loopexit(r->loop, &deadline);
	event_base_dispatch(r->loop);
	assert_int_equal(r->lost, 1);
}

static void remove_socket(struct room *r)
{
	assert_int_equal(unlink(r->socket), 0);
}

static void replace_socket(struct room *r)
{
	close(bound_unix_socket(SOCK_STREAM, r->aside));
	assert_int_equal(rename(r->aside, r->socket), 0);
}

static void rename_socket(struct room *r)
{
	assert_int_equal(rename(r->socket, r->aside), 0);
}

static void remove_lock(struct room *r)
{
	assert_int_equal(unlink(r->state.lock), 0);
}

static void replace_lock(struct room *r)
{
	make_file(r->aside);
	assert_int_equal(rename(r->aside, r->state.lock), 0);
}

static void rename_directory(struct room *r)
{
	char moved[80];

	snprintf(moved, sizeof(moved), "%s-moved", r->directory);
	assert_int_equal(rename(r->directory, moved), 0);
	strcpy(r->directory, moved);
}

static void expect_told(struct room *r, void (*change)(struct room *r))
{
	_cleanup_(place_freep) struct place *place = NULL;

	listen_here(r);
	assert_int_equal(place_new(r->loop, &r->state, note_lost, r, &place), 0);
	turn(r, false);
	assert_int_equal(r->lost, 0);
	change(r);
	turn(r, true);
	assert_string_not_equal(r->why, "");
}

#define TOLD(name, change)              \
	TEST_WITH(name, struct room *r) \
	{                               \
		expect_told(r, change); \
	}

TOLD(removed_socket_is_told, remove_socket)
TOLD(replaced_socket_is_told, replace_socket)
TOLD(renamed_socket_is_told, rename_socket)
TOLD(removed_lock_is_told, remove_lock)
TOLD(replaced_lock_is_told, replace_lock)
TOLD(renamed_directory_is_told, rename_directory)

TEST_WITH(loss_before_the_watch_is_told_too, struct room *r)
{
	_cleanup_(place_freep) struct place *place = NULL;

	listen_here(r);
	remove_socket(r);
	assert_int_equal(place_new(r->loop, &r->state, note_lost, r, &place), 0);
	turn(r, true);
}

TEST_WITH(files_beside_them_and_a_change_of_mode_are_no_loss, struct room *r)
{
	_cleanup_(place_freep) struct place *place = NULL;

	listen_here(r);
	assert_int_equal(place_new(r->loop, &r->state, note_lost, r, &place), 0);
	make_file(r->aside);
	assert_int_equal(unlink(r->aside), 0);
	assert_int_equal(chmod(r->socket, 0666), 0);
	assert_int_equal(chmod(r->state.lock, 0600), 0);
	turn(r, false);
	turn(r, false);
	assert_int_equal(r->lost, 0);
}

EACH_TEST_MAIN(setup, teardown)
