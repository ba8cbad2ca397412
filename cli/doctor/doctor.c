/* SPDX-License-Identifier: MIT */
#include "cli/doctor/doctor.h"

#include <json-c/json.h>

#include "cli/client/answer.h"
#include "cli/client/connection.h"

static const struct {
	const char *id;
	void (*look)(struct doctor *d);
	bool of_daemon;
} checks[] = {
#define ROW(function, name, what)	    { name, doctor_check_##function, false },
#define ROW_OF_DAEMON(function, name, what) { name, doctor_check_##function, true },
	DOCTOR_CHECKS(ROW, ROW_OF_DAEMON)
#undef ROW_OF_DAEMON
#undef ROW
};

void doctor_look(struct doctor *d)
{
	_cleanup_(connection_close) struct connection c = { .fd = -1 };

	d->checks = json_object_new_array();
	d->connect_error = connection_open_any(&c, d->socket, sizeof(d->socket));
	if (d->connect_error)
		*d->socket = '\0';
	connection_close(&c);
	d->status = doctor_ask(d, "/v1/status");
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		d->id = checks[i].id;
		if (checks[i].of_daemon && !d->status)
			doctor_say(d, DOCTOR_SKIP, NULL, "no daemon answers");
		else
			checks[i].look(d);
	}
}

void doctor_deinit(struct doctor *d)
{
	answer_free(d->status);
	answer_free(d->checks);
}
