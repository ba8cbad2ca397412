/* SPDX-License-Identifier: MIT */
#include "daemon/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/outcome.h"

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
	"      --debug      log more\n"
	"      --version    print the version\n"
	"  -h, --help       print this help\n"
	"\n"
	"Environment: PORT_DADDY_HOME (state directory), PORT_DADDY_SOCKET.\n"
	"Example: sudo portdaddyd --user \"$USER\"\n";

enum { OPT_USER = 256, OPT_SYSTEM, OPT_NO_BPF, OPT_DEBUG, OPT_VERSION };

static const struct option long_options[] = {
	{ "user", required_argument, NULL, OPT_USER },
	{ "system", no_argument, NULL, OPT_SYSTEM },
	{ "no-bpf", no_argument, NULL, OPT_NO_BPF },
	{ "debug", no_argument, NULL, OPT_DEBUG },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL },
};

static int leave(int code, int *ret_exit_code)
{
	*ret_exit_code = code;
	return -1;
}

int options_parse(int argc, char **argv, struct options *ret, int *ret_exit_code)
{
	int wrong = outcome_row(OUTCOME_BAD_REQUEST)->exit_code;
	int c;

	*ret = (struct options){
		/* systemd sets both for a unit with RuntimeDirectory= */
		.service = geteuid() == 0 && getenv("INVOCATION_ID") && getenv("RUNTIME_DIRECTORY"),
	};
	while ((c = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_USER:
			ret->user = optarg;
			break;
		case OPT_SYSTEM:
			ret->service = true;
			break;
		case OPT_NO_BPF:
			ret->no_bpf = true;
			break;
		case OPT_DEBUG:
			ret->debug = true;
			break;
		case OPT_VERSION:
			puts("portdaddyd " PD_VERSION);
			return leave(0, ret_exit_code);
		case 'h':
			fputs(usage_text, stdout);
			return leave(0, ret_exit_code);
		default: /* getopt_long has named the fault */
			fputs("portdaddyd: try --help\n", stderr);
			return leave(wrong, ret_exit_code);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "portdaddyd: unexpected argument '%s'; try --help\n", argv[optind]);
		return leave(wrong, ret_exit_code);
	}
	return 0;
}
