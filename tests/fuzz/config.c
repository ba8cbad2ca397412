/* SPDX-License-Identifier: MIT */
/* .portdaddyrc, which a stranger may have written. */
#include <fcntl.h>

#include "fuzz/fuzz.h"

/* for load(), which takes a file that has been found */
#include "cli/project/config.c"

#define ERROR_SIZE (PATH_MAX + 512)

static void check(const struct config *c)
{
	must(c->n <= CONFIG_SERVICES_MAX && c->n_warnings <= CONFIG_WARNINGS_MAX);
	for (size_t i = 0; i < c->n; i++) {
		const struct config_service *service = &c->services[i];
		struct health_path path;
		char again[HEALTH_PATH_SIZE];

		must(identity_check(service->id, NULL) == 0);
		must(identity_check(service->name, NULL) == 0);
		if (!*service->health)
			continue;
		must(health_path_parse(service->health, &path, NULL) == 0);
		must(strcmp(health_path_format(&path, again), service->health) == 0);
	}
	for (size_t i = 0; i < c->n_warnings; i++)
		must(strstr(c->warnings[i], CONFIG_NAME));
}

int fuzz(const uint8_t *bytes, size_t size)
{
	_cleanup_close_ int fd = fuzz_file(bytes, size);
	char error[ERROR_SIZE] = "";
	struct config *c = NULL;
	int e;

	e = load("/nonexistent/shop/" CONFIG_NAME, fd, &c, error, sizeof(error));
	must(e == 1 || e < 0);
	if (e == 1)
		check(c);
	else /* one sentence, which names the file */
		must(!c && strstr(error, CONFIG_NAME));
	config_free(c);
	return 0;
}
