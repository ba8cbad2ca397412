/* SPDX-License-Identifier: MIT */
#include "provenance/program.h"
#include "testing.h"

#define WORDS_MAX 8

static const struct {
	const char *words[WORDS_MAX];
	const char *runs; /* "" = nothing that has a name */
} rows[] = {
	{ { "node", "server.js" }, "server.js" },
	{ { "/usr/bin/node", "--inspect", "-r", "dotenv/config", "src/index.js" }, "index.js" },
	{ { "node", "/srv/a/node_modules/.bin/vite" }, "vite" },
	{ { "node", "/srv/a/node_modules/vite/bin/vite.js", "--port", "3000" }, "vite" },
	{ { "node", "/srv/a/node_modules/.bin/next", "dev" }, "next dev" },
	{ { "node", "/a/node_modules/@nestjs/cli/bin/nest.js", "start", "--watch" },
	  "@nestjs/cli start" },
	{ { "node", "/a/node_modules/x/node_modules/nodemon/bin/nodemon.js", "app.js" },
	  "nodemon" },
	{ { "node", "/usr/lib/node_modules/npm/bin/npm-cli.js", "run", "dev" }, "npm run dev" },
	{ { "npm run dev" }, "npm run dev" },
	{ { "node", "-e", "require('http')" }, "" },
	{ { "node" }, "" },
	{ { "node", "server.js", "Secret", "dev" }, "server.js" },
	{ { "python3.11", "manage.py", "runserver", "0:8000" }, "manage.py runserver" },
	{ { "python3", "-m", "http.server", "8000" }, "http.server" },
	{ { "python3", "-m", "", "8000" }, "" },
	{ { "sh", "scripts/", "dev" }, "" },
	{ { "python", "-X", "dev", "-u", "-m", "uvicorn", "app:main" }, "uvicorn app:main" },
	{ { "/usr/bin/python3", "/srv/.venv/bin/gunicorn", "-w", "4" }, "gunicorn" },
	{ { "python3", "-c", "import socket" }, "" },
	{ { "bash", "watchdog.sh" }, "watchdog.sh" },
	{ { "bash", "--init-file", "/opt/editor/shellIntegration-bash.sh" }, "" },
	{ { "bash", "--rcfile", "env.sh", "-i" }, "" },
	{ { "bash", "--rcfile", "env.sh", "watchdog.sh" }, "watchdog.sh" },
	{ { "sh", "-c", "while true; do x; done" }, "" },
	{ { "-bash" }, "" },
	{ { "bashful", "x" }, "" },
	{ { "nginx: master process" }, "" },
	{ { "" }, "" },
	{ { "node", "" }, "" },
	{ { "node", "/node_modules/" }, "" },
	{ { NULL }, "" },
};

TEST(interpreter_is_called_by_what_it_runs)
{
	char runs[PROGRAM_RUNS_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = 0;

		while (n < WORDS_MAX && rows[i].words[n])
			n++;
		if (program_name(rows[i].words, n, runs) != (*rows[i].runs != '\0') ||
		    strcmp(runs, rows[i].runs) != 0)
			fail_msg("%s %s: \"%s\"", rows[i].words[0], n > 1 ? rows[i].words[1] : "",
				 runs);
	}
}

TEST(names_of_any_length_are_cut)
{
	char path[4096], runs[PROGRAM_RUNS_SIZE];
	const char *const words[] = { "node", path, "dev" };

	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_true(program_name(words, ARRAY_SIZE(words), runs));
	assert_int_equal(strlen(runs), PROGRAM_RUNS_SIZE - 1);
}

TEST_MAIN(NULL, NULL)
