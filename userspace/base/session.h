/* SPDX-License-Identifier: MIT */
/* What a session and a note may be: limits that pd checks before it sends, and the daemon again. */
#ifndef BASE_SESSION_H
#define BASE_SESSION_H

#include <stdbool.h>

/* "session-ab3": a letter, then letters and digits, none that is easily taken for another. */
#define SESSION_ID_PREFIX "session-"
#define SESSION_ID_CHARS  3  /* behind the prefix; one more where those are taken */
#define SESSION_ID_MAX	  64 /* of a text that stands for one, prefix included */

#define SESSION_PURPOSE_MAX_BYTES 256	      /* a line of `pd sessions` */
#define SESSION_AGENT_MAX_BYTES	  64	      /* a name in `pd status` */
#define NOTE_MAX_BYTES		  (16 * 1024) /* a page or two; a log file belongs elsewhere */

/* Names the session of a shell and of what it starts. */
#define SESSION_ENVIRONMENT "PORT_DADDY_SESSION"

/* Can the text be an id or the beginning of one?  Letters, digits, '.', '_' and '-'. */
bool session_ref_is_legal(const char *text);

/* True when nothing but blanks and line ends is in it. */
bool session_text_is_blank(const char *text);

#endif
