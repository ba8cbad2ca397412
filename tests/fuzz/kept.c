/* SPDX-License-Identifier: MIT */
/*
 * Short texts that come back: what a run is called in an environment, the ports that a run's row
 * has, where a list goes on, who says that he is which build.
 */
#include "base/build.h"
#include "base/identity.h"
#include "base/text.h"
#include "fuzz/fuzz.h"

/* for what takes texts that have been read */
#include "base/run.c"
#include "http/page.c"
#include "registry/runs.c"

static void check_run(const uint8_t *bytes, size_t size, const char *text)
{
	uint32_t number = run_id_parse(text), in_environment = run_in((const char *)text, size);
	char id[RUN_ID_SIZE];

	if (number)
		must(strcmp(run_id_format(number, id), text) == 0);
	if (in_environment)
		must(memmem(bytes, size, run_id_format(in_environment, id), RUN_ID_SIZE - 1));
}

/* What was read is written, and read again, as the same. */
static void check_hardcoded(const char *text)
{
	struct run run = { 0 }, again = { 0 };
	char written[HARDCODED_SIZE];

	parse_hardcoded(text, &run);
	must(run.n_hardcoded <= RUN_HARDCODED_MAX);
	for (size_t i = 0; i < run.n_hardcoded; i++)
		must(run.hardcoded[i].asked && run.hardcoded[i].port);
	parse_hardcoded(format_hardcoded(&run, written), &again);
	must(again.n_hardcoded == run.n_hardcoded);
	must(memcmp(again.hardcoded, run.hardcoded, sizeof(run.hardcoded)) == 0);
}

static void check_cursor(const char *text)
{
	struct request r = { 0 };
	struct page page = { .after = text };
	char written[PAGE_SOCKET_SIZE];
	uint64_t cookie, cookie_again;
	uint16_t port, port_again;
	int64_t number;
	int fault = page_after_number(&r, &page, &number);

	must(fault == 0 ||
	     (fault == OUTCOME_BAD_REQUEST && text_is_utf8(r.message, strlen(r.message))));
	if (page_after_socket(&r, &page, &port, &cookie))
		return;
	page.after = page_socket(port, cookie, written);
	must(page_after_socket(&r, &page, &port_again, &cookie_again) == 0);
	must(port == port_again && cookie == cookie_again);
}

static void check_build(const char *text)
{
	struct build build;
	char shown[BUILD_TEXT_SIZE];

	if (build_parse(text, BUILD_PROGRAM_DAEMON, &build))
		must(text_escape_terminal(build_text(&build, shown),
					  (char[2 * BUILD_TEXT_SIZE]){ 0 }, 2 * BUILD_TEXT_SIZE) &&
		     *build.version);
	must(fuzz_ends(build.version, sizeof(build.version)));
	must(fuzz_ends(build.commit, sizeof(build.commit)));
	must(build_age(&build));
}

int fuzz(const uint8_t *bytes, size_t size)
{
	_cleanup_free_ char *text = fuzz_text(bytes, size);

	check_run(bytes, size, text);
	check_hardcoded(text);
	check_cursor(text);
	check_build(text);
	return 0;
}
