/* SPDX-License-Identifier: MIT */
/*
 * commits DATABASE COUNT FIRST_PORT: SQLite alone, doing what a claim writes (a service, the memory
 * of its port, a line of the audit trail), one transaction each, as durable as the daemon's.  The
 * file is one that the daemon made.  Prints transactions a second and the median of their
 * microseconds.
 */
#include <sqlite3.h>

#include "tool.h"

static const char *const writes[] = {
	"BEGIN IMMEDIATE",
	"INSERT INTO services(id, port, createdAt, updatedAt, status, uid, cwd, sid, claimerPid, "
	"claimerStart, bootId, everActive, expiresAt) VALUES(?1, ?2, ?3, ?3, 'claimed', 0, "
	"'/home/somebody/work/project', 4711, 4712, 815, 'b1b9b1f0-0000-4000-8000-000000000000', "
	"0, 0)",
	"INSERT OR REPLACE INTO ports(id, port, claimedAt) VALUES(?1, ?2, ?3)",
	"INSERT INTO activity(service, port, timestamp, action, details, pid, uid, comm) "
	"VALUES(?1, ?2, ?3, 'CLAIM', 'Port 3100 assigned', 4711, 0, 'pd')",
	"COMMIT",
};
#define N_WRITES (int)(sizeof(writes) / sizeof(writes[0]))

static void must(sqlite3 *db, int rc)
{
	if (rc != SQLITE_OK && rc != SQLITE_DONE)
		errx(1, "SQLite: %s", sqlite3_errmsg(db));
}

static void claim(sqlite3 *db, sqlite3_stmt *const *statements, int number, int port)
{
	char id[32];

	snprintf(id, sizeof(id), "alone:n%d", number);
	for (int i = 0; i < N_WRITES; i++) {
		if (sqlite3_bind_parameter_count(statements[i])) {
			sqlite3_bind_text(statements[i], 1, id, -1, SQLITE_STATIC);
			sqlite3_bind_int(statements[i], 2, port);
			sqlite3_bind_int64(statements[i], 3, time(NULL));
		}
		must(db, sqlite3_step(statements[i]));
		must(db, sqlite3_reset(statements[i]));
	}
}

int main(int argc, char **argv)
{
	sqlite3_stmt *statements[N_WRITES];
	sqlite3 *db = NULL;
	int count = argc == 4 ? atoi(argv[2]) : 0;
	int64_t *took_ns, began;

	if (count < 1)
		errx(2, "usage: commits DATABASE COUNT FIRST_PORT");
	took_ns = samples_new(count);
	if (sqlite3_open_v2(argv[1], &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		errx(1, "%s: %s", argv[1], db ? sqlite3_errmsg(db) : "no memory");
	must(db, sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON", NULL, NULL,
			      NULL));
	for (int i = 0; i < N_WRITES; i++)
		must(db, sqlite3_prepare_v2(db, writes[i], -1, &statements[i], NULL));
	began = now_ns();
	for (int i = 0; i < count; i++) {
		int64_t start = now_ns();

		claim(db, statements, i, atoi(argv[3]) + i);
		took_ns[i] = now_ns() - start;
	}
	printf("%.1f ", count / ((double)(now_ns() - began) / 1e9));
	printf("%.1f\n", percentile_us(took_ns, count, 50));
	for (int i = 0; i < N_WRITES; i++)
		sqlite3_finalize(statements[i]);
	free(took_ns);
	return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
