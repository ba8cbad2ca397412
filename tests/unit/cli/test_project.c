/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "cli/config.h"
#include "cli/project.h"

/* --- a tree of files of one's own --- */

static char root[] = "/tmp/pd-project-XXXXXX";

static const char *at(const char *path)
{
	static char full[4][PATH_MAX];
	static int next;

	next = (next + 1) % 4;
	snprintf(full[next], sizeof(full[next]), "%s/%s", root, path);
	return full[next];
}

/* Makes the directory and those above it. */
static const char *directory(const char *path)
{
	const char *full = at(path);
	char part[PATH_MAX];

	for (const char *slash = strchr(full + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(slash - full), full);
		mkdir(part, 0755);
	}
	assert_true(mkdir(full, 0755) == 0 || errno == EEXIST);
	return full;
}

static void write_file(const char *path, const char *text)
{
	_cleanup_file_ FILE *f = fopen(at(path), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
}

static int make_root(void **state)
{
	strcpy(root, "/tmp/pd-project-XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int unlink_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static int remove_root(void **state)
{
	return nftw(root, unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void identity_is(const char *path, const char *expected)
{
	char id[IDENTITY_MAX + 1];

	assert_int_equal(project_identity(path, id), 0);
	assert_string_equal(id, expected);
	assert_int_equal(identity_check(id, NULL), 0);
}

/* What `git worktree add ../hot -b fix/cart` leaves behind in the repository at `common`. */
static void link_worktree(const char *common, const char *gitdir_line)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/worktrees/hot", common);
	directory(path);
	snprintf(path, sizeof(path), "%s/worktrees/hot/commondir", common);
	write_file(path, "../..\n");
	snprintf(path, sizeof(path), "%s/worktrees/hot/HEAD", common);
	write_file(path, "ref: refs/heads/fix/cart\n");
	directory("hot");
	write_file("hot/.git", gitdir_line);
}

static void identity_of_a_directory_is_its_name(void **state)
{
	identity_is(directory("my shop"), "my-shop");
	identity_is("/", "x");
}

static void main_worktree_is_a_directory_like_any_other(void **state)
{
	directory("shop/.git/refs");
	identity_is(at("shop"), "shop");
	identity_is(directory("shop/api"), "api");
}

static void linked_worktree_has_the_repositorys_name_and_its_branch_as_context(void **state)
{
	char line[PATH_MAX];

	snprintf(line, sizeof(line), "gitdir: %s\n", at("shop/.git/worktrees/hot"));
	link_worktree("shop/.git", line);
	identity_is(at("hot"), "shop:dev:fix-cart");
	identity_is(directory("hot/api/v2"), "v2:dev:fix-cart");
}

static void linked_worktree_with_a_relative_path_is_understood(void **state)
{
	link_worktree("shop/.git", "gitdir: ../shop/.git/worktrees/hot\n");
	identity_is(at("hot"), "shop:dev:fix-cart");
}

static void linked_worktree_of_a_bare_repository_has_its_name(void **state)
{
	link_worktree("shop.git", "gitdir: ../shop.git/worktrees/hot\n");
	identity_is(at("hot"), "shop:dev:fix-cart");
	remove_root(NULL);
	make_root(NULL);
	link_worktree("store/.bare", "gitdir: ../store/.bare/worktrees/hot\n");
	identity_is(at("hot"), "store:dev:fix-cart");
}

static void detached_worktree_has_gits_name_of_it_as_context(void **state)
{
	link_worktree("shop/.git", "gitdir: ../shop/.git/worktrees/hot\n");
	write_file("shop/.git/worktrees/hot/HEAD", "1234567890123456789012345678901234567890\n");
	identity_is(at("hot"), "shop:dev:hot");
}

static void submodule_is_no_worktree(void **state)
{
	directory("shop/.git/modules/theme");
	directory("shop/theme");
	write_file("shop/theme/.git", "gitdir: ../.git/modules/theme\n");
	identity_is(at("shop/theme"), "theme");
}

static void git_file_with_other_content_is_no_worktree(void **state)
{
	directory("odd");
	write_file("odd/.git", "hello\n");
	identity_is(at("odd"), "odd");
	write_file("odd/.git", "gitdir: /nonexistent/worktrees/x\n");
	identity_is(at("odd"), "odd");
}

/* --- .portdaddyrc --- */

static struct config *found(const char *path)
{
	struct config *c = NULL;
	char error[PATH_MAX + 256] = "";

	if (config_find(path, &c, error, sizeof(error)) != 1)
		fail_msg("%s", error);
	return c;
}

static void refused(const char *text, const char *word)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char error[PATH_MAX + 256] = "";

	write_file(".portdaddyrc", text);
	assert_int_equal(config_find(root, &c, error, sizeof(error)), -EINVAL);
	assert_null(c);
	assert_non_null(strstr(error, ".portdaddyrc"));
	if (!strstr(error, word))
		fail_msg("'%s' does not say '%s'", error, word);
}

static void services_are_read_in_order_from_above_with_comments_and_commas(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;

	write_file(".portdaddyrc", "{ // services\n \"project\": \"shop\",\n \"services\": {\n"
				   " \"web\": {\"cmd\": \"x\"}, /* and */\n"
				   " \"api\": { \"healthPath\": \"/health\", }, }, }\n// end\n");
	c = found(directory("src/deep"));
	assert_int_equal(c->n, 2);
	assert_string_equal(c->services[0].id, "shop:web");
	assert_string_equal(c->services[0].health, "");
	assert_string_equal(c->services[1].id, "shop:api");
	assert_string_equal(c->services[1].name, "api");
	assert_string_equal(c->services[1].health, "/health");
}

static void project_without_a_name_is_called_as_its_directory(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;

	directory("my shop");
	write_file("my shop/.portdaddyrc", "{\"services\": {\"web\": {}}}");
	c = found(at("my shop"));
	assert_string_equal(c->services[0].id, "my-shop:web");
}

static void services_of_a_linked_worktree_have_the_branch_as_context(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;

	link_worktree("shop/.git", "gitdir: ../shop/.git/worktrees/hot\n");
	write_file("hot/.portdaddyrc", "{\"services\": {\"web\": {}}}");
	c = found(at("hot"));
	assert_string_equal(c->services[0].id, "shop:web:fix-cart");
}

static void nothing_is_found_where_there_is_none(void **state)
{
	struct config *c = NULL;
	char error[256];

	assert_int_equal(config_find(directory("a/b"), &c, error, sizeof(error)), 0);
}

static void faulty_files_are_refused_with_file_and_place(void **state)
{
	refused("", "empty");
	refused(" \n", "empty");
	refused("{\n \"services\": {,}\n}", "line 2");
	refused("{\"services\": {\"web\": {}}", "line 1");
	refused("{\"services\": {\"web\": {}}} x", "behind the object");
	refused("[]", "no services");
	refused("{}", "no services");
	refused("{\"services\": {}}", "no services");
	refused("{\"services\": [\"web\"]}", "no services");
	refused("{\"services\": {\"my web\": {}}}", "'my web'");
	refused("{\"services\": {\"a:b\": {}}}", "'a:b'");
	refused("{\"services\": {\"web\": 3000}}", "'web'");
	refused("{\"services\": {\"web\": {\"healthPath\": 3}}}", "healthPath");
	refused("{\"project\": \"a b\", \"services\": {\"web\": {}}}", "project");
	refused("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "line 1");
}

int main(void)
{
#define IN_TREE(test) cmocka_unit_test_setup_teardown(test, make_root, remove_root)
	const struct CMUnitTest tests[] = {
		IN_TREE(identity_of_a_directory_is_its_name),
		IN_TREE(main_worktree_is_a_directory_like_any_other),
		IN_TREE(linked_worktree_has_the_repositorys_name_and_its_branch_as_context),
		IN_TREE(linked_worktree_with_a_relative_path_is_understood),
		IN_TREE(linked_worktree_of_a_bare_repository_has_its_name),
		IN_TREE(detached_worktree_has_gits_name_of_it_as_context),
		IN_TREE(submodule_is_no_worktree),
		IN_TREE(git_file_with_other_content_is_no_worktree),
		IN_TREE(services_are_read_in_order_from_above_with_comments_and_commas),
		IN_TREE(project_without_a_name_is_called_as_its_directory),
		IN_TREE(services_of_a_linked_worktree_have_the_branch_as_context),
		IN_TREE(nothing_is_found_where_there_is_none),
		IN_TREE(faulty_files_are_refused_with_file_and_place),
	};

	return cmocka_run_group_tests_name("cli/project", tests, NULL, NULL);
}
