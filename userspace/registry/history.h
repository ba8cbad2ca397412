/* SPDX-License-Identifier: MIT */
/*
 * Who had a port, claimed or not, and how it ended.  A row is one socket that served, known by its
 * cookie, which is not given twice within one boot.  A row without an end is of a socket that
 * serves, or of one whose end no daemon saw.  Rules as in registry.h; whatever a person typed into
 * the table, a reader gets valid values.
 */
#ifndef REGISTRY_HISTORY_H
#define REGISTRY_HISTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/process.h"

struct registry;

enum history_how {
	HISTORY_HAS_IT = 0, /* it has not ended */
	HISTORY_CLOSED,	    /* its process closed it, and lived on */
	HISTORY_EXIT,	    /* its process ended, with that exit code */
	HISTORY_SIGNAL,	    /* its process was killed by that signal */
	HISTORY_UNKNOWN,    /* no daemon ran, or events were lost */
	_HISTORY_HOW_MAX
};

/* "closed", "exit", "signal", "unknown"; NULL for HISTORY_HAS_IT; static storage. */
const char *history_how_name(enum history_how how);

struct history_end {
	int64_t at; /* Unix seconds; 0 = it has not ended */
	enum history_how how;
	int code; /* exit code or signal */
};

struct history_entry {
	int64_t id; /* given by the database */
	uint16_t port;
	uint16_t asked_port;	  /* that stands in its program; 0 = the same */
	const char *proto, *addr; /* "" = not known */
	uint32_t netns;
	struct process_id process; /* that bound it; pid 0 = not known */
	const char *comm;	   /* "" = not known */
	uid_t uid;		   /* PROCESS_UID_UNKNOWN = not known */
	const char *service;	   /* that owned the port; "" = nobody had claimed it */
	int64_t since;		   /* Unix seconds; 0 = before anybody watched */
	struct history_end end;
	uint64_t cookie;
};

/* Writes it, ended or not; a socket that has a row without an end gets no second one.  0, negative
 * errno. */
int registry_history_add(struct registry *r, const struct history_entry *entry);
/* The row of that socket, where it has none without an end, stays as it is.  0, negative errno. */
int registry_history_end(struct registry *r, uint16_t port, uint64_t cookie,
			 const struct history_end *end);

typedef bool (*history_visit)(const struct history_entry *entry, void *user_data);
struct history_filter {
	uint16_t port;	     /* 0 = all */
	const char *service; /* as it is stored; NULL = all */
	int64_t since;	     /* what had not ended then; 0 = all */
	int64_t before_id;   /* 0 = all */
	int64_t limit;	     /* rows at most */
};
/* Newest first, that is by id.  visit may not call the registry's write functions. */
int registry_for_each_history(struct registry *r, const struct history_filter *filter,
			      history_visit visit, void *user_data);

/* Of this boot, on that port, without an end: as above. */
int registry_for_each_open_history(struct registry *r, uint16_t port, history_visit visit,
				   void *user_data);
/* Calls visit for every port that has such a row. */
int registry_for_each_open_history_port(struct registry *r,
					void (*visit)(uint16_t port, void *user_data),
					void *user_data);
/* Ends those of other boots, which no socket has survived.  0, negative errno. */
int registry_history_end_other_boots(struct registry *r, int64_t at);

/* Drops rows beyond QUOTA_HISTORY_KEPT, of the users who have most, and those that ended longer ago
 * than ACTIVITY_KEEP_S; at most max_rows of each.  0, negative errno. */
int registry_history_prune(struct registry *r, int64_t now, int max_rows);

#endif
