/* SPDX-License-Identifier: MIT */
#include "cli/client/follow.h"

#include <errno.h>
#include <json-c/json.h>

#include "cli/client/answer.h"

int follow_open(struct follow *f, const char *path)
{
	int r = connection_open_any(&f->c, NULL, 0);

	r = r ?: connection_send(&f->c, "GET", path, NULL);
	if (r)
		follow_close(f);
	return r;
}

/* 1 when there may be more; 0; negative errno. */
static int read_line(struct follow *f, void (*each)(struct json_object *line, void *user_data),
		     void *user_data)
{
	_cleanup_(answer_freep) struct json_object *o = NULL;
	char *line;
	int r = connection_take_line(&f->c, &line);

	if (r == -EAGAIN)
		return 0;
	if (r <= 0)
		return r ? r : -EPIPE;
	o = json_tokener_parse(line);
	if (!o)
		return -EBADMSG;
	each(o, user_data);
	return 1;
}

int follow_read(struct follow *f, void (*each)(struct json_object *line, void *user_data),
		void *user_data)
{
	int r;

	do
		r = read_line(f, each, user_data);
	while (r > 0);
	if (r)
		follow_close(f);
	return r;
}

void follow_close(struct follow *f)
{
	connection_close(&f->c);
}
