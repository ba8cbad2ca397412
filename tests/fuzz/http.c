/* SPDX-License-Identifier: MIT */
/* The head of an answer, as pd reads it: it comes in pieces of any size. */
#include "cli/client/http.h"

#include <errno.h>

#include "fuzz/fuzz.h"

static bool is_equal(const struct http_head *a, const struct http_head *b)
{
	return a->status == b->status && a->content_length == b->content_length &&
	       a->size == b->size;
}

int fuzz(const uint8_t *bytes, size_t size)
{
	struct http_head head, again;
	int e = http_head_parse((const char *)bytes, size, &head);
	size_t piece = size ? bytes[size - 1] % size : 0;

	must(e == 0 || e == -EAGAIN || e == -EBADMSG);
	if (e == 0) {
		_cleanup_free_ char *exact = malloc(head.size);

		must(exact && head.size <= size && head.status >= 100 && head.status <= 599);
		must(head.content_length >= -1);
		/* what stands behind the head is none of its business, and less is not enough */
		memcpy(exact, bytes, head.size);
		must(http_head_parse(exact, head.size, &again) == 0 && is_equal(&head, &again));
		must(http_head_parse(exact, head.size - 1, &again) == -EAGAIN);
	}
	/* what is waited for is not refused later for its beginning, nor the other way round */
	if (e != -EBADMSG)
		must(http_head_parse((const char *)bytes, piece, &again) != -EBADMSG);
	return 0;
}
