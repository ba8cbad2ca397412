/* SPDX-License-Identifier: MIT */
/* Which port a claim gets: asked for, free, remembered; against a model, too. */
#include "unit/registry/claims.h"

static struct kernel_view view; /* of the test that runs */

static int setup(void **state)
{
	view = (struct kernel_view){ 0 };
	return fixture_setup(state);
}

static void take_even_ports(void)
{
	for (size_t port = 0; port < ARRAY_SIZE(view.use); port += 2)
		view.use[port] = PORT_TAKEN;
}

/* A claim of that port, without a look at the kernel. */
static int claim_port(struct fixture *f, const char *id, uint16_t port, struct claim_result *ret)
{
	struct claim_request request = fixture_request(id);

	request.port = port;
	return claim(f, &request, ret);
}

/* The same of any port of a range. */
static int claim_of_range(struct fixture *f, const char *id, struct port_range range,
			  struct claim_result *ret)
{
	struct claim_request request = fixture_request(id);

	request.range = range;
	return claim(f, &request, ret);
}

/* A claim of "web" by whoever looks at the view, which has to succeed. */
static struct claim_result claim_web(struct fixture *f, struct port_range range)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.range = range;
	assert_int_equal(claim_in(f, &request, &view, &result), 0);
	return result;
}

static const struct port_range any_range;

TEST_WITH(exact_port_is_given, struct fixture *f)
{
	assert_int_equal(fixture_claim(f, "web", 443), 443);
}

TEST_WITH(claim_of_taken_port_names_the_holder, struct fixture *f)
{
	struct claim_result result;

	fixture_claim(f, "web", 5000);
	assert_int_equal(claim_port(f, "other", 5000, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "web");
	assert_int_equal(result.port, 5000);
	fixture_expect_none(f, "other");
}

TEST_WITH(claim_of_unusable_port_names_no_holder, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.port = 5000;
	take_even_ports();
	assert_int_equal(claim_in(f, &request, &view, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "");
}

TEST_WITH(exact_port_moves_an_existing_claim, struct fixture *f)
{
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_result result;

	assert_int_equal(claim_port(f, "web", 5000, &result), 0);
	assert_true(result.existing);
	assert_int_equal(result.port, 5000);
	assert_int_equal(result.previous_port, port);
	assert_int_equal(registry_port_ever_claimed(f->registry, port), 1);
	assert_int_equal(fixture_claim(f, "other", port), port);
}

TEST_WITH(refused_move_leaves_the_claim_where_it_was, struct fixture *f)
{
	uint16_t port = fixture_claim(f, "web", 0);
	struct claim_result result;

	fixture_claim(f, "other", 5000);
	assert_int_equal(claim_port(f, "web", 5000, &result), OUTCOME_CONFLICT);
	assert_int_equal(fixture_service(f, "web").service.port, port);
}

TEST_WITH(unusable_candidates_are_passed_over, struct fixture *f)
{
	struct claim_result result;

	take_even_ports();
	result = claim_web(f, small_range);
	assert_int_equal(result.port % 2, 1);
	assert_in_range(result.port, 4000, 4007);
}

TEST_WITH(full_range_has_no_free_port, struct fixture *f)
{
	struct claim_request request = fixture_request("last");
	struct claim_result result;
	char id[16];

	for (int i = 0; i < 8; i++) {
		snprintf(id, sizeof(id), "s%d", i);
		fixture_claim(f, id, (uint16_t)(4000 + i));
	}
	request.range = small_range;
	assert_int_equal(claim_in(f, &request, &view, &result), OUTCOME_NO_FREE_PORT);
	assert_int_equal(view.asked, 0);
}

TEST_WITH(range_of_a_claim_is_kept_for_its_next_move, struct fixture *f)
{
	struct claim_result result;

	assert_int_equal(claim_of_range(f, "web", small_range, &result), 0);
	fixture_shell(f, "UPDATE services SET port = NULL; DELETE FROM ports");
	assert_int_equal(claim_of_range(f, "web", any_range, &result), 0);
	assert_in_range(result.port, 4000, 4007);
}

TEST_WITH(released_port_is_remembered, struct fixture *f)
{
	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	assert_int_equal(fixture_claim(f, "web", 0), 3000);
}

TEST_WITH(released_port_is_remembered_after_another_had_it, struct fixture *f)
{
	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	fixture_claim(f, "other", 3000);
	fixture_release(f, "other");
	fixture_reopen(f);
	assert_int_equal(fixture_claim(f, "web", 0), 3000);
}

TEST_WITH(remembered_port_outside_of_the_asked_range_is_not_given, struct fixture *f)
{
	struct claim_result result;

	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	assert_int_equal(claim_of_range(f, "web", small_range, &result), 0);
	assert_in_range(result.port, 4000, 4007);
}

TEST_WITH(remembered_port_that_is_unusable_is_not_given, struct fixture *f)
{
	fixture_claim(f, "web", 3000);
	fixture_release(f, "web");
	take_even_ports();
	assert_int_equal(claim_web(f, any_range).port % 2, 1);
}

TEST_WITH(last_of_several_ports_is_remembered, struct fixture *f)
{
	fixture_claim(f, "web", 6000);
	fixture_claim(f, "web", 5000);
	fixture_release(f, "web");
	assert_int_equal(fixture_claim(f, "web", 0), 5000);
	fixture_claim(f, "web", 6000);
	fixture_release(f, "web");
	assert_int_equal(fixture_claim(f, "web", 0), 6000);
}

TEST_WITH(port_claimed_by_hand_is_not_given, struct fixture *f)
{
	uint16_t port = fixture_claim(f, "web", 0);

	fixture_release(f, "web");
	fixture_shellf(f, "INSERT INTO services(id, port) VALUES('hand', %u)", port);
	assert_true(fixture_claim(f, "web", 0) != port);
	assert_int_equal(fixture_service(f, "hand").service.port, port);
}

TEST_WITH(claim_whose_port_cannot_be_remembered_leaves_nothing, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	fixture_shell(f, "CREATE TRIGGER t BEFORE INSERT ON ports WHEN NEW.id = 'web' "
			 "BEGIN SELECT RAISE(ABORT, 'no'); END");
	fixture_begin(f);
	assert_true(registry_claim(f->registry, &request, NULL, NULL, &result) < 0);
	request.id = "other";
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result), 0);
	fixture_commit(f);
	fixture_expect(f, "SELECT group_concat(id) FROM services", "other");
	fixture_expect(f, "SELECT group_concat(id) FROM ports", "other");
}

TEST_WITH(port_is_ever_claimed_after_release_and_by_hand, struct fixture *f)
{
	assert_int_equal(registry_port_ever_claimed(f->registry, 5000), 0);
	fixture_claim(f, "web", 5000);
	fixture_release(f, "web");
	assert_int_equal(registry_port_ever_claimed(f->registry, 5000), 1);
	fixture_shell(f, "INSERT INTO services(id, port) VALUES('hand', 5001)");
	assert_int_equal(registry_port_ever_claimed(f->registry, 5001), 1);
	fixture_reopen(f);
	assert_int_equal(registry_port_ever_claimed(f->registry, 5000), 1);
}

/* --- a home, and the way back to it --- */

/* "web", claimed while its home is free, then once more in a world where somebody holds that. */
static struct claim_result claim_aside(struct fixture *f)
{
	view.use[claim_web(f, any_range).port] = PORT_TAKEN;
	return claim_web(f, any_range);
}

TEST_WITH(claim_whose_port_is_taken_moves_aside, struct fixture *f)
{
	uint16_t home = port_candidate("web", (struct port_range){ 3100, 9999 }, 0);
	struct claim_result result = claim_aside(f);

	assert_int_equal(result.home, home);
	assert_int_not_equal(result.port, home);
	assert_int_equal(result.previous_port, home);
	assert_true(result.existing);
	assert_int_equal(fixture_service(f, "web").service.port, result.port);
	assert_int_equal(fixture_service(f, "web").service.home, home);
}

TEST_WITH(claim_returns_home_when_that_is_free, struct fixture *f)
{
	struct claim_result aside = claim_aside(f), result = claim_web(f, any_range);

	assert_int_equal(result.port, aside.port); /* nothing has changed */
	assert_int_equal(result.previous_port, 0);
	fixture_reopen(f);
	view.use[aside.home] = PORT_FREE;
	result = claim_web(f, any_range);
	assert_int_equal(result.port, aside.home);
	assert_int_equal(result.home, aside.home);
	assert_int_equal(result.previous_port, aside.port);
	fixture_expect(f, "SELECT home FROM services", "NULL");
}

TEST_WITH(claim_does_not_return_while_its_server_is_elsewhere, struct fixture *f)
{
	struct claim_result aside = claim_aside(f), result;

	view.use[aside.home] = PORT_FREE;
	view.use[aside.port] = PORT_SERVED;
	result = claim_web(f, any_range);
	assert_int_equal(result.port, aside.port);
	assert_int_equal(result.use, PORT_SERVED);
}

TEST_WITH(claim_aside_moves_on_when_that_port_is_taken_too, struct fixture *f)
{
	struct claim_result aside = claim_aside(f), result;

	view.use[aside.port] = PORT_TAKEN;
	result = claim_web(f, any_range);
	assert_int_not_equal(result.port, aside.port);
	assert_int_not_equal(result.port, aside.home);
	assert_int_equal(result.home, aside.home);
}

TEST_WITH(first_claim_of_a_taken_port_has_it_as_its_home, struct fixture *f)
{
	uint16_t home = port_candidate("web", small_range, 0);
	struct claim_result result;

	view.use[home] = PORT_TAKEN;
	result = claim_web(f, small_range);
	assert_int_equal(result.home, home);
	assert_int_equal(result.port, port_candidate("web", small_range, 1));
	assert_false(result.existing);
}

TEST_WITH(reserved_port_is_nobodys_home, struct fixture *f)
{
	struct claim_result result;

	view.use[port_candidate("web", small_range, 0)] = PORT_RESERVED;
	result = claim_web(f, small_range);
	assert_int_equal(result.port, port_candidate("web", small_range, 1));
	assert_int_equal(result.home, result.port);
}

TEST_WITH(home_of_a_claim_that_moved_aside_is_given_to_nobody_else, struct fixture *f)
{
	struct claim_result aside = claim_aside(f), result;
	const struct port_range home = { aside.home, aside.home };

	fixture_reopen(f);
	assert_int_equal(claim_port(f, "other", aside.home, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "web");
	assert_int_equal(claim_of_range(f, "other", home, &result), OUTCOME_NO_FREE_PORT);
}

TEST_WITH(exact_port_becomes_the_home, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result aside = claim_aside(f), result;

	request.port = aside.port;
	assert_int_equal(claim_in(f, &request, &view, &result), 0);
	assert_int_equal(result.home, aside.port);
	view.use[aside.home] = PORT_FREE;
	assert_int_equal(claim_web(f, any_range).port, aside.port);
	assert_int_equal(fixture_claim(f, "other", aside.home), aside.home);
}

TEST_WITH(exact_port_that_is_taken_is_refused_to_the_claim_that_has_it, struct fixture *f)
{
	struct claim_request request = fixture_request("web");
	struct claim_result result;

	request.port = fixture_claim(f, "web", 0);
	view.use[request.port] = PORT_SERVED;
	assert_int_equal(claim_in(f, &request, &view, &result), 0);
	view.use[request.port] = PORT_TAKEN;
	assert_int_equal(claim_in(f, &request, &view, &result), OUTCOME_CONFLICT);
	assert_string_equal(result.holder_id, "");
}

TEST_WITH(home_is_remembered_and_not_where_the_claim_has_been, struct fixture *f)
{
	struct claim_result aside = claim_aside(f);

	fixture_release(f, "web");
	assert_int_equal(registry_port_ever_claimed(f->registry, aside.port), 1);
	assert_int_equal(fixture_claim(f, "web", 0), aside.home);
	assert_int_equal(fixture_claim(f, "other", aside.port), aside.port);
}

/* People write into the file: the home of one is the port of another. */
TEST_WITH(home_that_another_claim_has_is_left_to_it, struct fixture *f)
{
	struct claim_result aside = claim_aside(f);

	view.use[aside.home] = PORT_FREE;
	fixture_shellf(f, "INSERT INTO services(id, port) VALUES('hand', %u)", aside.home);
	assert_int_equal(claim_web(f, any_range).port, aside.port);
	fixture_shell(f, "UPDATE services SET home = 'nonsense' WHERE id = 'web'");
	assert_int_equal(fixture_service(f, "web").service.home, aside.port);
}

/* --- a random world against a model --- */

#define MODEL_IDS   24
#define MODEL_STEPS 2000

struct model {
	uint16_t port[MODEL_IDS];	/* 0: not claimed */
	uint16_t remembered[MODEL_IDS]; /* 0: never claimed */
	uid_t uid[MODEL_IDS];
};

static int model_holder(const struct model *m, uint16_t port)
{
	for (int i = 0; i < MODEL_IDS; i++)
		if (m->port[i] == port)
			return i;
	return -1;
}

static int model_claim(struct model *m, int i, const struct claim_request *request)
{
	uint16_t chosen = request->port;

	if (m->port[i] != 0 && (chosen == 0 || chosen == m->port[i]))
		return 0;
	if (chosen != 0 && model_holder(m, chosen) >= 0)
		return OUTCOME_CONFLICT;
	if (chosen == 0 && m->remembered[i] != 0 && model_holder(m, m->remembered[i]) < 0)
		chosen = m->remembered[i];
	for (unsigned n = 0; chosen == 0 && n < 16; n++) {
		uint16_t candidate = port_candidate(request->id, request->range, n);

		if (model_holder(m, candidate) < 0)
			chosen = candidate;
	}
	if (chosen == 0)
		return OUTCOME_NO_FREE_PORT;
	if (m->port[i] == 0)
		m->uid[i] = request->uid;
	m->port[i] = m->remembered[i] = chosen;
	return 0;
}

static void model_compare(struct fixture *f, const struct model *m)
{
	char id[16];

	for (int i = 0; i < MODEL_IDS; i++) {
		struct service_copy copy;
		int found;

		snprintf(id, sizeof(id), "id:%d", i);
		found = fixture_find(f, id, &copy);
		assert_int_equal(found, m->port[i] ? 0 : OUTCOME_NO);
		if (found == 0) {
			assert_int_equal(copy.service.port, m->port[i]);
			assert_int_equal(copy.service.uid, m->uid[i]);
		}
	}
}

static void model_step(struct fixture *f, struct model *m)
{
	static const struct port_range range = { 4000, 4015 }; /* fewer ports than names */
	static const uid_t uids[] = { 0, 1000, 1001 };
	int i = rand() % MODEL_IDS;
	struct claim_request request;
	struct claim_result result;
	char id[16];

	snprintf(id, sizeof(id), "id:%d", i);
	if (rand() % 4 == 0) {
		int expected = m->port[i] ? 0 : OUTCOME_NO;

		assert_int_equal(registry_release(f->registry, id, FIXTURE_NOW), expected);
		m->port[i] = 0;
		return;
	}
	request = fixture_request(id);
	request.uid = m->port[i] ? m->uid[i] : uids[i % 3]; /* names of users: test_claims.c */
	request.range = range;
	if (rand() % 3 == 0)
		request.port = (uint16_t)(4000 + rand() % 16);
	assert_int_equal(registry_claim(f->registry, &request, NULL, NULL, &result),
			 model_claim(m, i, &request));
}

TEST_WITH(random_claims_and_releases_agree_with_a_model, struct fixture *f)
{
	struct model m = { { 0 } };

	srand(fixture_seed());
	fixture_shell(f, "PRAGMA user_version"); /* a second connection came and went */
	for (int step = 0; step < MODEL_STEPS; step++) {
		if (step % 100 == 0) {
			fixture_commit(f);
			if (step % 500 == 0)
				fixture_reopen(f);
			fixture_begin(f);
		}
		model_step(f, &m);
		if (step % 20 == 0)
			model_compare(f, &m);
	}
	fixture_commit(f);
	model_compare(f, &m);
}

EACH_TEST_MAIN(setup, fixture_teardown)
