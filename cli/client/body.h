/* SPDX-License-Identifier: MIT */
/* Members of requests. */
#ifndef CLI_CLIENT_BODY_H
#define CLI_CLIENT_BODY_H

struct json_object;

/*
 * Adds what pd found around it: a directory, a program's name, a variable of the environment. These
 * are any bytes, and JSON is UTF-8: what is no text is left out, as are NULL and "", and the daemon
 * takes it for not known.  What somebody has typed is checked, and refused, before it comes here.
 */
void body_add_text(struct json_object *body, const char *key, const char *text);

#endif
