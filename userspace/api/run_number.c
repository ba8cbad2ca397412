/* SPDX-License-Identifier: MIT */
#include "api/run_number.h"

#include "http/request.h"

int run_number_read(struct request *r, const struct param *p, const struct param_value *value,
		    void *ret)
{
	uint32_t number = run_id_parse(value->text);

	if (!number)
		return request_fail(r, OUTCOME_BAD_REQUEST,
				    "\"%.32s\" is no run; pd ps lists them: run-0a1b2c3d",
				    value->text);
	*(uint32_t *)ret = number;
	return 0;
}
