/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/net.h"
#include "cli/answer.h"
#include "cli/check.h"
#include "cli/command.h"
#include "cli/render.h"
#include "cli/why_view.h"

static int check_address(const struct command *self, const struct command_line *line,
			 const char *text)
{
	struct net_addr address;
	uint8_t family;

	if (!text || net_addr_parse(text, &family, &address) == 0)
		return 0;
	return render_usage_error(line->json, self->name,
				  "--addr '%.100s' is no address, for example 127.0.0.1, ::1 or *",
				  text);
}

static int run(const struct command *self, const struct command_line *line)
{
	_cleanup_(answer_freep) struct json_object *why = NULL;
	const char *address = command_value(self, line, "addr");
	struct client_param params[] = {
		{ "port", line->args[0] },
		{ "proto", command_value(self, line, "udp") ? "udp" : NULL },
		{ "addr", address },
		{ "v6only", command_value(self, line, "v6only") ? "1" : NULL },
	};
	char path[512];
	uint16_t port;
	int e = check_port(self, line, line->args[0], &port);

	if (!e)
		e = check_address(self, line, address);
	if (!e && client_path("/v1/why", params, ARRAY_SIZE(params), path, sizeof(path)) < 0)
		e = render_usage_error(line->json, self->name, "the address is too long");
	if (!e)
		e = answer_get(line->json, "GET", path, NULL, &why);
	if (e)
		return e;
	if (line->json)
		render_json(why);
	else if (line->quiet)
		printf("%s\n", answer_text(why, "verdict"));
	else
		why_view(why);
	return answer_bool(why, "free") ? 0 : outcome_row(OUTCOME_NO)->exit_code;
}

const struct command cmd_why = {
	.name = "why",
	.arguments = "PORT [--udp] [--addr A] [--v6only]",
	.summary = "explain whether a port can be bound now, and who is in the way",
	.details = "Asks for a program that binds and then listens, without SO_REUSEADDR and\n"
		   "SO_REUSEPORT, on all addresses (IPv6 and IPv4) unless --addr names one.\n"
		   "Exit code 0 when it would succeed, 1 when not.  -q prints the verdict alone.\n",
	.examples = "  pd why 3000\n"
		    "  pd why 3000 --addr 127.0.0.1\n"
		    "  pd why 5353 --udp\n"
		    "  sudo pd why 80\n",
	.min_args = 1,
	.max_args = 1,
	.options = {
		{ "udp", 'u', NULL, "ask about UDP" },
		{ "addr", 0, "A", "the address to bind: 127.0.0.1, 0.0.0.0, ::1, * (both)" },
		{ "v6only", 0, NULL, "ask for a socket with IPV6_V6ONLY" },
		{ NULL },
	},
	.run = run,
};
