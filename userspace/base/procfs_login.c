/* SPDX-License-Identifier: MIT */
/* Which user started a process, whoever it runs as. */
#include <stdlib.h>

#include "base/procfs.h"

#define CLIMB_MAX 32 /* npm, make and shells may stand between a program and sudo */

/* PAM sets it at a login, nobody without CAP_AUDIT_CONTROL changes it, and children inherit it. */
static uid_t read_login_uid(pid_t pid)
{
	char text[16], *end;
	unsigned long uid;

	if (procfs_read_of(pid, "loginuid", text, sizeof(text)) <= 0)
		return PROCESS_UID_UNKNOWN;
	uid = strtoul(text, &end, 10);
	return end == text || uid >= PROCESS_UID_UNKNOWN ? PROCESS_UID_UNKNOWN : (uid_t)uid;
}

uid_t procfs_starter(const struct process_id *id)
{
	struct process process;
	uid_t uid = read_login_uid(id->pid), leader;
	pid_t sid;

	if (procfs_describe_briefly(id->pid, &process) || !process_id_equal(&process.id, id))
		return PROCESS_UID_UNKNOWN;
	if (uid != PROCESS_UID_UNKNOWN)
		return uid;
	sid = process.sid;
	uid = procfs_uid(id->pid);
	for (int i = 0; uid == 0 && i < CLIMB_MAX && process.ppid > 1; i++) {
		uid = procfs_uid(process.ppid);
		if (procfs_describe_briefly(process.ppid, &process))
			return PROCESS_UID_UNKNOWN;
	}
	/* sudo and its shell may have ended; sid is nobody else's pid while one of the session
	 * lives */
	leader = uid == 0 && sid > 1 ? procfs_uid(sid) : uid;
	return leader == PROCESS_UID_UNKNOWN ? uid : leader;
}
