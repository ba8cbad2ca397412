/* SPDX-License-Identifier: MIT */
#include "cli/render/port_variable.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

void port_variable_of(const char *name, char ret[static PORT_VARIABLE_SIZE])
{
	snprintf(ret, PORT_VARIABLE_SIZE, "%s%s_PORT", *name >= '0' && *name <= '9' ? "_" : "",
		 name);
	for (; *ret; ret++)
		*ret = (char)(isalnum((unsigned char)*ret) ? toupper((unsigned char)*ret) : '_');
}

void port_variable_show(const char *name, int port, bool alone, bool exported)
{
	const char *before = exported ? "export " : "";
	char variable[PORT_VARIABLE_SIZE];

	port_variable_of(name, variable);
	printf("%s%s=%d\n", before, variable, port);
	if (alone && strcmp(variable, "PORT") != 0)
		printf("%sPORT=%d\n", before, port);
}
