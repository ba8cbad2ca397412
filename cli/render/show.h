/* SPDX-License-Identifier: MIT */
/* Words that several commands print: ages, statuses, who holds a port. */
#ifndef CLI_RENDER_SHOW_H
#define CLI_RENDER_SHOW_H

#include <stddef.h>
#include <stdint.h>

#include "cli/render/render.h"

struct json_object;

#define SHOW_AGE_SIZE 32

/* "2h ago", "just now"; "" for 0, which is "not known". */
const char *show_ago(int64_t unix_s, char ret[static SHOW_AGE_SIZE]);

/* The "port" of a row, and in front of it what its program asked for: "3000→5742".  Returns ret. */
#define SHOW_PORT_SIZE sizeof("65535→65535")
const char *show_port(struct json_object *row, char ret[static SHOW_PORT_SIZE]);

/* "http://localhost:5742" of a service: its port and its scheme, whatever else the daemon says. */
#define SHOW_URL_SIZE sizeof("https://localhost:65535")
const char *show_url(struct json_object *service, char ret[static SHOW_URL_SIZE]);

/* "1,247". */
#define SHOW_NUMBER_SIZE 32
const char *show_number(int64_t n, char ret[static SHOW_NUMBER_SIZE]);

/* "5us", "0.45ms", "8.3ms", "234ms", "12.5s", "1m 5s". */
const char *show_latency(int64_t us, char ret[static SHOW_NUMBER_SIZE]);

/* "812KB", "24.5MB", "1.2GB". */
const char *show_bytes(int64_t n, char ret[static SHOW_NUMBER_SIZE]);

/* How a status of a service, or of an orphan row, is coloured. */
enum render_tone show_status_tone(const char *status);

/* How a status of a session is coloured. */
enum render_tone show_session_tone(const char *status);

/* How an action of the activity, or an event of the kernel, is coloured. */
enum render_tone show_action_tone(const char *action);

/* The width of the longest of the members `key` of a list's objects, from `least` on; what is
 * longer than `most` pushes its own line only. */
int show_width(struct json_object *list, const char *key, size_t least, size_t most);

#endif
