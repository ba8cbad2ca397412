/* SPDX-License-Identifier: MIT */
#include "cli/supervise/needs.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/project/config.h"

static size_t number_of(const struct config *config, const char *name)
{
	size_t i = 0;

	while (i < config->n && strcmp(config->services[i].name, name) != 0)
		i++;
	return i;
}

static int read_node(const struct config *config, const struct config_service *s,
		     struct needs_node *node, char *ret_error, size_t size)
{
	node->needs = calloc(s->start.n_needs + 1, sizeof(*node->needs));
	if (!node->needs)
		return -ENOMEM;
	for (; node->n < s->start.n_needs; node->n++) {
		const char *name = s->start.needs[node->n];

		node->needs[node->n] = number_of(config, name);
		if (node->needs[node->n] < config->n)
			continue;
		snprintf(ret_error, size,
			 "%s: service '%s' needs '%.100s', which is not in this file", config->path,
			 s->name, name);
		return -EINVAL;
	}
	return 0;
}

/* --- circles --- */

struct path {
	const struct needs *needs;
	size_t *steps; /* the nodes that are being looked at, one needed by the other */
	size_t n;
	bool *is_clear; /* nothing that it needs leads into a circle */
};

/* True when the last step of the path leads back to one of it; the path ends there then. */
static bool leads_into_a_circle(struct path *p, size_t node)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->steps[i] != node)
			continue;
		p->n -= i;
		memmove(p->steps, p->steps + i, p->n * sizeof(*p->steps));
		return true;
	}
	if (p->is_clear[node])
		return false;
	p->steps[p->n++] = node;
	for (size_t i = 0; i < p->needs->nodes[node].n; i++)
		if (leads_into_a_circle(p, p->needs->nodes[node].needs[i]))
			return true;
	p->n--;
	p->is_clear[node] = true;
	return false;
}

static void say_circle(const struct config *config, const struct path *p, char *ret, size_t size)
{
	size_t used = (size_t)snprintf(ret, size,
				       "%s: services need each other in a circle: ", config->path);

	for (size_t i = 0; i <= p->n && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i ? " -> " : "",
					 config->services[p->steps[i % p->n]].name);
}

static int refuse_circles(const struct config *config, const struct needs *needs, char *ret_error,
			  size_t size)
{
	_cleanup_free_ size_t *steps = calloc(needs->n + 1, sizeof(*steps));
	_cleanup_free_ bool *is_clear = calloc(needs->n + 1, sizeof(*is_clear));
	struct path p = { .needs = needs, .steps = steps, .is_clear = is_clear };

	if (!steps || !is_clear)
		return -ENOMEM;
	for (size_t i = 0; i < needs->n; i++) {
		if (!leads_into_a_circle(&p, i))
			continue;
		say_circle(config, &p, ret_error, size);
		return -EINVAL;
	}
	return 0;
}

int needs_new(const struct config *config, struct needs *ret, char *ret_error, size_t size)
{
	int r = 0;

	snprintf(ret_error, size, "%s", strerror(ENOMEM));
	*ret = (struct needs){ .nodes = calloc(config->n + 1, sizeof(*ret->nodes)) };
	if (!ret->nodes)
		return -ENOMEM;
	for (; !r && ret->n < config->n; ret->n++)
		r = read_node(config, &config->services[ret->n], &ret->nodes[ret->n], ret_error,
			      size);
	r = r ?: refuse_circles(config, ret, ret_error, size);
	if (r)
		needs_deinit(ret);
	return r;
}

void needs_deinit(struct needs *needs)
{
	for (size_t i = 0; i < needs->n; i++)
		free(needs->nodes[i].needs);
	free(needs->nodes);
	*needs = (struct needs){ 0 };
}

/* --- states --- */

void needs_want(struct needs *needs, size_t i)
{
	struct needs_node *node = &needs->nodes[i];

	if (node->state != NEEDS_LEFT_OUT)
		return;
	node->state = NEEDS_WAITING;
	for (size_t j = 0; j < node->n; j++)
		needs_want(needs, node->needs[j]);
}

size_t needs_next(const struct needs *needs)
{
	size_t i, j;

	for (i = 0; i < needs->n; i++) {
		const struct needs_node *node = &needs->nodes[i];

		if (node->state != NEEDS_WAITING)
			continue;
		for (j = 0; j < node->n; j++)
			if (needs->nodes[node->needs[j]].state != NEEDS_READY)
				break;
		if (j == node->n)
			break;
	}
	return i;
}

void needs_give_up(struct needs *needs, size_t i)
{
	needs->nodes[i].state = NEEDS_OVER;
	for (size_t j = 0; j < needs->n; j++) {
		const struct needs_node *node = &needs->nodes[j];

		for (size_t k = 0; k < node->n; k++)
			if (node->needs[k] == i && node->state == NEEDS_WAITING)
				needs_give_up(needs, j);
	}
}

size_t needs_order_of_end(const struct needs *needs, size_t *ret_steps)
{
	bool moved = true;
	size_t last = 0;

	memset(ret_steps, 0, needs->n * sizeof(*ret_steps));
	while (moved) {
		moved = false;
		for (size_t i = 0; i < needs->n; i++)
			for (size_t j = 0; j < needs->nodes[i].n; j++) {
				size_t *step = &ret_steps[needs->nodes[i].needs[j]];

				if (*step > ret_steps[i])
					continue;
				*step = ret_steps[i] + 1;
				last = *step > last ? *step : last;
				moved = true;
			}
	}
	return last + 1;
}
