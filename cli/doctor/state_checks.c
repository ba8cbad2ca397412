/* SPDX-License-Identifier: MIT */
/* The checks of what pd keeps: its database, its claims, and what is left of the past. */
#include <dirent.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own_pd.h"
#include "base/paths.h"
#include "base/text.h"
#include "base/user.h"
#include "cli/client/answer.h"
#include "cli/client/client.h"
#include "cli/doctor/doctor.h"
#include "cli/render/show.h"

#define COMMAND_SIZE   (OWN_PD_SIZE + 2 * PATH_MAX)
#define LARGE_BYTES    (256LL << 20) /* the rows that are kept are far less: something is wrong */
#define LOW_DISK_BYTES (64LL << 20)  /* some hours of a busy log, and a backup */
#define UNUSED_S       (7 * 86400)   /* as `pd cleanup` has it */
#define CLOCK_SET_S    2	     /* two clocks are read one after the other */
#define NAMES_SHOWN    3
#define NAMES_SIZE     256
#define DOCKER_CONFIG  "/etc/docker/daemon.json"

/* Up to NAMES_SHOWN of them, and how many more there are. */
struct names {
	size_t n, used;
	char text[NAMES_SIZE];
};

static void add_name(struct names *names, const char *name)
{
	if (names->n++ < NAMES_SHOWN && names->used < sizeof(names->text))
		names->used += (size_t)snprintf(names->text + names->used,
						sizeof(names->text) - names->used, "%s%.*s",
						names->used ? ", " : "", 64, name);
}

static const char *more_of(const struct names *names)
{
	return names->n > NAMES_SHOWN ? ", ..." : "";
}

/* --- the database ---------------------------------------------------------------------------- */

void doctor_check_database(struct doctor *d)
{
	struct json_object *database = answer_member(d->status, "database");
	const char *detail = answer_text(database, "detail"), *path = answer_text(database, "path");
	bool healthy = answer_bool(database, "healthy");
	char command[COMMAND_SIZE];

	if (healthy && !*detail)
		doctor_say(d, DOCTOR_OK, NULL, "healthy (%s)", path);
	else
		doctor_say(d, healthy ? DOCTOR_WARN : DOCTOR_FAIL,
			   healthy ? NULL : doctor_own("help daemon", command), "%s: %s",
			   answer_text(database, "state"), *detail ? detail : path);
}

/* A command with the file behind it; NULL where no word of a shell is its path. */
static const char *about_database(const struct doctor *d, const char *command, const char *then,
				  char ret[static COMMAND_SIZE])
{
	const char *path = answer_text(answer_member(d->status, "database"), "path");
	char quoted[PATH_MAX];

	if (!text_shell_quote(path, quoted, sizeof(quoted)))
		return NULL;
	snprintf(ret, COMMAND_SIZE, "%s %s%s%s", command, quoted, *then ? " " : "", then);
	return ret;
}

void doctor_check_database_size(struct doctor *d)
{
	struct json_object *database = answer_member(d->status, "database");
	int64_t bytes = answer_int(database, "bytes");
	char size[SHOW_NUMBER_SIZE], command[COMMAND_SIZE];

	if (!answer_has(database, "bytes"))
		doctor_say(d, DOCTOR_SKIP, NULL, "the daemon does not tell its size");
	else if (bytes <= LARGE_BYTES)
		doctor_say(d, DOCTOR_OK, NULL, "%s", show_bytes(bytes, size));
	else
		doctor_say(d, DOCTOR_WARN, about_database(d, "sqlite3", "VACUUM", command),
			   "%s: far more than what is kept needs", show_bytes(bytes, size));
}

void doctor_check_disk(struct doctor *d)
{
	struct json_object *database = answer_member(d->status, "database");
	int64_t room = answer_int(database, "freeBytes");
	char size[SHOW_NUMBER_SIZE], command[COMMAND_SIZE];

	if (!answer_has(database, "freeBytes"))
		doctor_say(d, DOCTOR_SKIP, NULL, "the daemon does not tell what is free");
	else if (room >= LOW_DISK_BYTES)
		doctor_say(d, DOCTOR_OK, NULL, "%s are free", show_bytes(room, size));
	else
		doctor_say(d, room ? DOCTOR_WARN : DOCTOR_FAIL,
			   about_database(d, "df -h", "", command),
			   "%s are free where the database is: without room no claim is written",
			   show_bytes(room, size));
}

/*
 * How far the moment of the boot is from where the daemon saw it when it started: the wall clock
 * was set by that.  Sleep does not count, for both clocks go on meanwhile.
 */
void doctor_check_clock(struct doctor *d)
{
	struct json_object *daemon = answer_member(d->status, "daemon");
	int64_t booted = (clock_ms(CLOCK_REALTIME) - clock_ms(CLOCK_BOOTTIME)) / 1000;
	int64_t by = booted - answer_int(daemon, "bootedAt");

	if (!answer_has(daemon, "bootedAt"))
		doctor_say(d, DOCTOR_SKIP, NULL, "the daemon does not tell what its clock was");
	else if (by >= -CLOCK_SET_S && by <= CLOCK_SET_S)
		doctor_say(d, DOCTOR_OK, NULL, "not set since the daemon's start");
	else
		doctor_say(d, DOCTOR_WARN, "sudo timedatectl set-ntp true",
			   "the clock was set %s by %llds since the daemon started: times that it "
			   "noted before are off by that",
			   by < 0 ? "back" : "forward", (long long)(by < 0 ? -by : by));
}

/* --- what is around -------------------------------------------------------------------------- */

void doctor_check_docker_proxy(struct doctor *d)
{
	_cleanup_(answer_freep) struct json_object *config = NULL;

	if (access(DOCKER_CONFIG, F_OK)) {
		doctor_say(d, DOCTOR_OK, NULL, "%s is not there: docker's own ways", DOCKER_CONFIG);
		return;
	}
	config = json_object_from_file(DOCKER_CONFIG);
	if (!config)
		doctor_say(d, DOCTOR_SKIP, NULL, "%s cannot be read", DOCKER_CONFIG);
	else if (answer_has(config, "userland-proxy") && !answer_bool(config, "userland-proxy"))
		doctor_say(d, DOCTOR_WARN,
			   "sudo sed -i '/\"userland-proxy\"/s/false/true/' " DOCKER_CONFIG
			   " && sudo systemctl restart docker",
			   DOCKER_CONFIG " turns the userland proxy off: docker itself keeps "
					 "published ports, and whose container has one is not "
					 "seen");
	else
		doctor_say(d, DOCTOR_OK, NULL,
			   "the userland proxy is on: published ports have a "
			   "process");
}

void doctor_check_unused_claims(struct doctor *d)
{
	_cleanup_(answer_freep) struct json_object *answer = doctor_ask(d,
									"/v1/services?pattern=*");
	struct json_object *services = answer_member(answer, "services");
	struct names names = { 0 };
	int64_t now = time(NULL);
	char command[COMMAND_SIZE];

	for (size_t i = 0; i < answer_length(services); i++) {
		struct json_object *s = answer_at(services, i);

		if (!strcmp(answer_text(s, "user"), user_name(getuid())) &&
		    strcmp(answer_text(s, "status"), "active") != 0 &&
		    now - answer_int(s, "updatedAt") > UNUSED_S)
			add_name(&names, answer_text(s, "id"));
	}
	if (!answer)
		doctor_say(d, DOCTOR_SKIP, NULL, "the daemon does not tell what is claimed");
	else if (!names.n)
		doctor_say(d, DOCTOR_OK, NULL, "none of yours is untouched for longer than 7d");
	else
		doctor_say(d, DOCTOR_WARN, doctor_own("cleanup", command),
			   "%zu of your claims %s untouched for longer than 7d: %s%s", names.n,
			   names.n == 1 ? "is" : "are", names.text, more_of(&names));
}

/* Files that a mended database has left in the state directory, where the caller may look. */
static void find_damaged(const struct doctor *d, struct names *ret, char directory[PATH_MAX])
{
	const char *path = answer_text(answer_member(d->status, "database"), "path");
	const char *slash = strrchr(path, '/');
	struct dirent *entry;
	DIR *dir;

	snprintf(directory, PATH_MAX, "%.*s", slash ? (int)(slash - path) : 0, path);
	dir = slash ? opendir(directory) : NULL;
	while (dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, PATHS_DATABASE_NAME ".damaged-",
			     strlen(PATHS_DATABASE_NAME ".damaged-")))
			add_name(ret, entry->d_name);
	if (dir)
		closedir(dir);
}

static void find_unattended(const struct doctor *d, struct names *ret)
{
	_cleanup_(answer_freep) struct json_object *answer = doctor_ask(d, "/v1/runs");
	struct json_object *runs = answer_member(answer, "runs");

	for (size_t i = 0; i < answer_length(runs); i++)
		if (!strcmp(answer_text(answer_at(runs, i), "state"), "unattended"))
			add_name(ret, answer_text(answer_at(runs, i), "service"));
}

void doctor_check_leftovers(struct doctor *d)
{
	long long orphaned = (long long)answer_int(answer_member(d->status, "services"),
						   "orphaned");
	struct names runs = { 0 }, files = { 0 };
	char command[COMMAND_SIZE], directory[PATH_MAX], quoted[PATH_MAX];
	int kinds;

	find_unattended(d, &runs);
	find_damaged(d, &files, directory);
	kinds = (runs.n > 0) + (orphaned > 0) + (files.n > 0);
	if (kinds)
		doctor_say(d, DOCTOR_WARN, NULL, "%d kind%s of them", kinds, kinds == 1 ? "" : "s");
	else
		doctor_say(d, DOCTOR_OK, NULL, "none");
	if (runs.n)
		doctor_say_of(d, "leftover-runs", DOCTOR_WARN, doctor_own("ps", command),
			      "%zu run%s without the pd that started %s: %s%s", runs.n,
			      runs.n == 1 ? " goes on" : "s go on", runs.n == 1 ? "it" : "them",
			      runs.text, more_of(&runs));
	if (orphaned)
		doctor_say_of(d, "leftover-servers", DOCTOR_WARN,
			      doctor_own("find --status orphaned", command),
			      "%lld server%s whose launcher is gone", orphaned,
			      orphaned == 1 ? " listens" : "s listen");
	if (files.n && text_shell_quote(directory, quoted, sizeof(quoted))) {
		snprintf(command, sizeof(command), "rm -r %s/" PATHS_DATABASE_NAME ".damaged-*",
			 quoted);
		doctor_say_of(d, "leftover-files", DOCTOR_WARN, command,
			      "copies of a damaged database are kept in %s: "
			      "%s%s",
			      directory, files.text, more_of(&files));
	}
}
