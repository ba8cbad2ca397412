/* SPDX-License-Identifier: MIT */
#include "base/session.h"

#include <string.h>

bool session_ref_is_legal(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				"0123456789._-");

	return n && n <= SESSION_ID_MAX && !text[n];
}

bool session_text_is_blank(const char *text)
{
	return !text[strspn(text, " \t\r\n\v\f")];
}
