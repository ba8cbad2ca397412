/* SPDX-License-Identifier: MIT */
/*
 * Bytes of the ring buffer and of the iterator → struct event.  Pure: no descriptor, no clock, no
 * allocation; never reads past `size`, never trusts a length or a terminator in the record.
 */
#ifndef SENTINEL_DECODE_H
#define SENTINEL_DECODE_H

#include <stddef.h>

#include "base/event.h"

/*
 * Decodes one ring buffer record.  0 and *ret filled (fields that the kind lacks are zero), or
 * -EBADMSG for a kind, size or value that no program of ours sends.
 */
int decode_event(const void *bytes, size_t size, uint64_t ticks_per_s, struct event *ret);

#endif
