/* SPDX-License-Identifier: MIT */
/* Arrays that grow, by doubling. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* *array is a pointer to elements; see below. */
static inline int array_reserve_bytes(void *array, size_t *size, size_t wanted, size_t first,
				      size_t element)
{
	size_t room = *size ? *size : first;
	void *elements;

	if (wanted <= *size)
		return 0;
	while (room < wanted)
		room *= 2;
	memcpy(&elements, array, sizeof(elements));
	elements = reallocarray(elements, room, element);
	if (!elements)
		return -ENOMEM;
	memcpy(array, &elements, sizeof(elements));
	*size = room;
	return 0;
}

/*
 * Makes room for `wanted` elements in an array of `size` (both are changed), of `first` at the
 * first time.  0; -ENOMEM, and the array is as it was.
 */
#define array_reserve(array, size, wanted, first) \
	array_reserve_bytes(&(array), &(size), (wanted), (first), sizeof(*(array)))

#endif
