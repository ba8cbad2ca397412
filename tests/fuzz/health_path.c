/* SPDX-License-Identifier: MIT */
/* Where a service answers health checks. */
#include "base/health_path.h"

#include "base/text.h"
#include "fuzz/fuzz.h"

int fuzz(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size), kept[HEALTH_PATH_SIZE], again[HEALTH_PATH_SIZE];
	struct health_path path, second;
	const char *why = NULL;

	if (health_path_parse(text, &path, &why) < 0) {
		must(why);
	} else {
		must(*path.path == '/' && text_is_utf8(path.path, strlen(path.path)));
		must(!strpbrk(path.path, " \r\n\t#"));
		health_path_format(&path, kept);
		must(health_path_parse(kept, &second, NULL) == 0);
		must(second.https == path.https && strcmp(second.path, path.path) == 0);
		must(strcmp(health_path_format(&second, again), kept) == 0);
	}
	free(text);
	return 0;
}
