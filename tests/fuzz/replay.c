/* SPDX-License-Identifier: MIT */
/*
 * TARGET DIRECTORY…: plays each file of the directories to a fuzz target, in TAP.  No libFuzzer is
 * needed: every `make test` does it.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/stat.h>

#include "fuzz/fuzz.h"

#define INPUT_MAX_BYTES (1024 * 1024)

static void play(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(INPUT_MAX_BYTES), *exact;
	size_t n;

	must(f && bytes);
	n = fread(bytes, 1, INPUT_MAX_BYTES, f);
	must(!ferror(f));
	fclose(f);
	/* of its own size: a byte behind it is out of bounds */
	exact = malloc(n);
	if (n)
		memcpy(exact, bytes, n);
	free(bytes);
	fuzz(exact, n);
	free(exact);
}

/* How many there were. */
static int play_all(const char *directory)
{
	struct dirent *entry;
	DIR *d = opendir(directory);
	int n = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		char path[PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		/* what is said of an input that breaks it stands behind its name */
		printf("# %s\n", path);
		fflush(stdout);
		play(path);
		n++;
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;

	printf("1..1\n");
	for (int i = 1; i < argc; i++)
		n += play_all(argv[i]);
	printf("%sok 1 - the corpus holds\n", n ? "" : "not ");
	if (!n)
		printf("# no input was found\n");
	return n ? 0 : 1;
}
