/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/build.h"
#include "base/moment.h"
#include "base/outcome.h"
#include "base/quota.h"
#include "http/json.h"

#define LOG_ROWS_MAX 10000000 /* 1.5 GB of database; more is a mistyped zero */

static const char usage_text[] =
	"Usage: portdaddyd [OPTION]...\n"
	"Keeps the port registry in step with the kernel; runs in the foreground, logs to stderr.\n"
	"\n"
	"      --user NAME  become this user after the start (as root; default: sudo's user,\n"
	"                   else \"port-daddy\" where there is one, else root without "
	"capabilities)\n"
	"      --system     use the system service's state and socket\n"
	"                   (/var/lib/port-daddy, /run/port-daddy/pd.sock)\n"
	"      --no-bpf     do not load eBPF; poll sock_diag instead\n"
	"      --trace fexit|syscalls|hooks|auto\n"
	"                   see refused binds and listens on the kernel's own functions, by\n"
	"                   tracepoints, which make every system call slower, or not at all;\n"
	"                   auto (default): by the first that works\n"
	"      --no-sandbox keep the system calls and files that the daemon has no need of, for a\n"
	"                   library that has; pd doctor says what is in force\n"
	"      --log-keep DUR  drop entries of pd log that are older: 12h, 30d, 8w (default 30d)\n"
	"      --log-rows N    keep at most so many entries (default 100000, at least 1000: the\n"
	"                   newest 1000 are never dropped)\n"
	"      --restore    put the backup in the place of the database first\n"
	"      --debug      log more\n"
	"      --routes     print what can be asked over HTTP, as JSON\n"
	"      --version    print the version\n"
	"  -h, --help       print this help\n"
	"\n"
	"Environment: PORT_DADDY_HOME (state directory), PORT_DADDY_SOCKET,\n"
	"PORT_DADDY_LOG_KEEP and PORT_DADDY_LOG_ROWS (as the two options).\n"
	"Example: sudo portdaddyd --user \"$USER\"\n";

enum {
	OPT_USER = 256,
	OPT_SYSTEM,
	OPT_NO_BPF,
	OPT_TRACE,
	OPT_NO_SANDBOX,
	OPT_DEBUG,
	OPT_RESTORE,
	OPT_VERSION,
	OPT_ROUTES,
	OPT_KEEP,
	OPT_ROWS
};

static const struct option long_options[] = {
	{ "user", required_argument, NULL, OPT_USER },
	{ "system", no_argument, NULL, OPT_SYSTEM },
	{ "no-bpf", no_argument, NULL, OPT_NO_BPF },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "log-keep", required_argument, NULL, OPT_KEEP },
	{ "log-rows", required_argument, NULL, OPT_ROWS },
	{ "debug", no_argument, NULL, OPT_DEBUG },
	{ "restore", no_argument, NULL, OPT_RESTORE },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "routes", no_argument, NULL, OPT_ROUTES },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static int leave(int code, int *ret_exit_code)
{
	*ret_exit_code = code;
	return -1;
}

/* False, with one line on stderr, when it is none; `name` is the option or the variable. */
static bool read_keep(const char *name, const char *text, struct activity_limits *log)
{
	size_t at = 0;

	if (!text || duration_parse(text, &log->age_s, &at) == 0)
		return true;
	fprintf(stderr,
		"portdaddyd: %s '%s' is no duration (see character %zu); for example 12h, 30d or "
		"8w\n",
		name, text, at + 1);
	return false;
}

static bool read_rows(const char *name, const char *text, struct activity_limits *log)
{
	char *end;
	long long rows;

	if (!text)
		return true;
	errno = 0;
	rows = strtoll(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end && !errno && rows >= ACTIVITY_KEEP_NEWEST &&
	    rows <= LOG_ROWS_MAX) {
		log->rows = rows;
		return true;
	}
	fprintf(stderr, "portdaddyd: %s '%s' is no number from %d to %d\n", name, text,
		ACTIVITY_KEEP_NEWEST, LOG_ROWS_MAX);
	return false;
}

static bool read_trace(const char *text, enum sentinel_trace *ret)
{
	if (sentinel_trace_parse(text, ret))
		return true;
	fprintf(stderr, "portdaddyd: --trace '%s' is none of", text);
	for (int i = SENTINEL_TRACE_AUTO; i < _SENTINEL_TRACE_MAX; i++)
		fprintf(stderr, " %s", sentinel_trace_name((enum sentinel_trace)i));
	fputc('\n', stderr);
	return false;
}

static void print_routes(void)
{
	_cleanup_json_ struct json_object *o = json_object_new_object();

	api_describe_routes(json_add_array(o, "routes"));
	puts(json_object_to_json_string(o));
}

/* Has it printed what the program ends with? */
static bool print_instead(int option)
{
	char build[BUILD_TEXT_SIZE];

	switch (option) {
	case OPT_ROUTES:
		print_routes();
		return true;
	case OPT_VERSION:
		printf("portdaddyd %s\n", build_text(&build_own, build));
		return true;
	case 'h':
		fputs(usage_text, stdout);
		return true;
	}
	return false;
}

/* False when it is none, or has a value that is none: one line on stderr has said why. */
static bool take_option(int option, const char *value, struct options *ret)
{
	switch (option) {
	case OPT_USER:
		ret->user = value;
		return true;
	case OPT_SYSTEM:
		ret->service = true;
		return true;
	case OPT_NO_BPF:
		ret->trace = SENTINEL_TRACE_NONE;
		return true;
	case OPT_TRACE:
		return read_trace(value, &ret->trace);
	case OPT_NO_SANDBOX:
		ret->no_sandbox = true;
		return true;
	case OPT_KEEP:
		return read_keep("--log-keep", value, &ret->log);
	case OPT_ROWS:
		return read_rows("--log-rows", value, &ret->log);
	case OPT_DEBUG:
		ret->debug = true;
		return true;
	case OPT_RESTORE:
		ret->restore = true;
		return true;
	}
	/* getopt_long has named the fault */
	fputs("portdaddyd: try --help\n", stderr);
	return false;
}

int options_parse(int argc, char **argv, struct options *ret, int *ret_exit_code)
{
	int wrong = outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
	int option;

	*ret = (struct options){
		/* systemd sets both for a unit with RuntimeDirectory= */
		.log = { (int64_t)quota_limit(QUOTA_LOG_ROWS)->machine, ACTIVITY_KEEP_S },
		.trace = SENTINEL_TRACE_AUTO,
		.service = geteuid() == 0 && getenv("INVOCATION_ID") && getenv("RUNTIME_DIRECTORY"),
	};
	if (!read_keep("PORT_DADDY_LOG_KEEP", getenv("PORT_DADDY_LOG_KEEP"), &ret->log) ||
	    !read_rows("PORT_DADDY_LOG_ROWS", getenv("PORT_DADDY_LOG_ROWS"), &ret->log))
		return leave(wrong, ret_exit_code);
	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		if (print_instead(option))
			return leave(0, ret_exit_code);
		if (!take_option(option, optarg, ret))
			return leave(wrong, ret_exit_code);
	}
	if (optind < argc) {
		fprintf(stderr, "portdaddyd: unexpected argument '%s'; try --help\n", argv[optind]);
		return leave(wrong, ret_exit_code);
	}
	return 0;
}
