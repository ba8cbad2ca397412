/* SPDX-License-Identifier: MIT */
/* Variables that hold ports, for the shell and for .env: API_PORT of a service api. */
#ifndef CLI_RENDER_PORT_VARIABLE_H
#define CLI_RENDER_PORT_VARIABLE_H

#include <stdbool.h>

#include "base/identity.h"

#define PORT_VARIABLE_SIZE (IDENTITY_PART_MAX + sizeof("__PORT"))

/* "API_PORT" of "api"; a character that a variable's name may not have becomes '_'. */
void port_variable_of(const char *name, char ret[static PORT_VARIABLE_SIZE]);

/* Prints the line, with "export " in front for a shell; where there is just one, PORT besides. */
void port_variable_show(const char *name, int port, bool alone, bool exported);

#endif
