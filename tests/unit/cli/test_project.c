/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/project/config.h"
#include "cli/project/project.h"
#include "testing.h"
#include "unit/directory.h"
#include "unit/random.h"

/* --- a tree of files of one's own --- */

static char root[DIRECTORY_SIZE];

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
	directory_make(root);
	return 0;
}

static int remove_root(void **state)
{
	directory_remove(root);
	return 0;
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

TEST(identity_of_a_directory_is_its_name)
{
	identity_is(directory("my shop"), "my-shop");
	identity_is("/", "x");
}

TEST(main_worktree_is_a_directory_like_any_other)
{
	directory("shop/.git/refs");
	identity_is(at("shop"), "shop");
	identity_is(directory("shop/api"), "api");
}

TEST(linked_worktree_has_the_repositorys_name_and_its_branch_as_context)
{
	char line[PATH_MAX];

	snprintf(line, sizeof(line), "gitdir: %s\n", at("shop/.git/worktrees/hot"));
	link_worktree("shop/.git", line);
	identity_is(at("hot"), "shop:dev:fix-cart");
	identity_is(directory("hot/api/v2"), "v2:dev:fix-cart");
}

TEST(linked_worktree_with_a_relative_path_is_understood)
{
	link_worktree("shop/.git", "gitdir: ../shop/.git/worktrees/hot\n");
	identity_is(at("hot"), "shop:dev:fix-cart");
}

TEST(linked_worktree_of_a_bare_repository_has_its_name)
{
	link_worktree("shop.git", "gitdir: ../shop.git/worktrees/hot\n");
	identity_is(at("hot"), "shop:dev:fix-cart");
	remove_root(NULL);
	make_root(NULL);
	link_worktree("store/.bare", "gitdir: ../store/.bare/worktrees/hot\n");
	identity_is(at("hot"), "store:dev:fix-cart");
}

TEST(detached_worktree_has_gits_name_of_it_as_context)
{
	link_worktree("shop/.git", "gitdir: ../shop/.git/worktrees/hot\n");
	write_file("shop/.git/worktrees/hot/HEAD", "1234567890123456789012345678901234567890\n");
	identity_is(at("hot"), "shop:dev:hot");
}

TEST(submodule_is_no_worktree)
{
	directory("shop/.git/modules/theme");
	directory("shop/theme");
	write_file("shop/theme/.git", "gitdir: ../.git/modules/theme\n");
	identity_is(at("shop/theme"), "theme");
}

TEST(git_file_with_other_content_is_no_worktree)
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

static struct config *read_config(const char *text)
{
	write_file(".portdaddyrc", text);
	return found(root);
}

/* The file that is there. */
static void is_refused(const char *word)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char error[PATH_MAX + 256] = "";

	assert_int_equal(config_find(root, &c, error, sizeof(error)), -EINVAL);
	assert_null(c);
	assert_non_null(strstr(error, ".portdaddyrc"));
	if (!strstr(error, word))
		fail_msg("'%s' does not say '%s'", error, word);
}

static void refused(const char *text, const char *word)
{
	write_file(".portdaddyrc", text);
	is_refused(word);
}

TEST(services_are_read_in_order_from_above_with_comments_and_commas)
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

TEST(project_without_a_name_is_called_as_its_directory)
{
	_cleanup_(config_freep) struct config *c = NULL;

	directory("my shop");
	write_file("my shop/.portdaddyrc", "{\"services\": {\"web\": {}}}");
	c = found(at("my shop"));
	assert_string_equal(c->services[0].id, "my-shop:web");
}

TEST(services_of_a_linked_worktree_have_the_branch_as_context)
{
	_cleanup_(config_freep) struct config *c = NULL;

	link_worktree("shop/.git", "gitdir: ../shop/.git/worktrees/hot\n");
	write_file("hot/.portdaddyrc", "{\"services\": {\"web\": {}}}");
	c = found(at("hot"));
	assert_string_equal(c->services[0].id, "shop:web:fix-cart");
}

TEST(nothing_is_found_where_there_is_none)
{
	struct config *c = NULL;
	char error[256];

	assert_int_equal(config_find(directory("a/b"), &c, error, sizeof(error)), 0);
}

TEST(faulty_files_are_refused_with_file_and_place)
{
	refused("", "empty");
	refused(" \n", "empty");
	refused("{\n \"services\": {,}\n}", "line 2");
	refused("{\"services\": {\"web\": {}}", "line 1");
	refused("{\"services\": {\"web\": {}}} x", "behind the object");
	refused("[]", "is no object");
	refused("null", "is no object");
	refused("\"text\"", "is no object");
	refused("{\"services\": [\"web\"]}", "line 1, column 2: \"services\" is no object");
	refused("{\n\t\"range\": \"9-1\"\n}", "line 2, column 2: \"range\"");
	refused("{\"range\": 4000}", "\"range\" is no text");
	refused("{\"cleanupAge\": \"7\"}", "column 2: \"cleanupAge\"");
	refused("{\"cleanupAge\": \"0d\"}", "cleanupAge");
	refused("{\"services\": {\"my web\": {}}}", "'my web'");
	refused("{\"services\": {\"a:b\": {}}}", "'a:b'");
	refused("{\"services\": {\"web\": 3000}}", "column 15: service 'web' is no object");
	refused("{\"services\": {\"web\": null}}", "'web'");
	refused("{\"services\": {\"web\":\n {\"cmd\": 1}}}", "line 2, column 3: the cmd");
	refused("{\"services\": {\"web\": {\"env\": []}}}", "the env of service 'web'");
	refused("{\"services\": {\"web\": {\"needs\": \"api\"}}}", "the needs of service 'web'");
	refused("{\"services\": {\"web\": {\"needs\": [3]}}}", "the needs of service 'web'");
	refused("{\"services\": {\"web\": {\"healthPath\": 3}}}", "healthPath");
	refused("{\"project\": \"a b\", \"services\": {\"web\": {}}}", "project");
	refused("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "line 1");
}

TEST(name_that_stands_twice_is_refused_where_it_stands_again)
{
	refused("{\"services\": {\n\"a\": {},\n \"b\": {}, \"a\": {} }}",
		"line 3, column 11: \"a\" stands here twice");
	refused("{\"project\": \"x\",\n\"project\": \"y\"}", "line 2, column 1: \"project\"");
	refused("{\"services\": {\"a\": {}, \"b\": {}},\n \"services\": {\"c\": {}}}",
		"line 2, column 2: \"services\"");
	/* the same name, spelled differently; a quote and a brace in a comment and in a text */
	refused("{/* \" { */\"cmd\": \"}:{\",\n\"\\u0063md\": 1}", "line 2, column 1: \"cmd\"");
	refused("{\"a\": 1, \"a\": null}", "stands twice in the object that ends here");
}

TEST(same_name_in_different_objects_is_no_duplicate)
{
	_cleanup_(config_freep) struct config *c = read_config(
		"{\"services\": {\"cmd\": {\"cmd\": \"\\\"cmd\\\":\"},"
		"\"env\": {\"env\": {\"cmd\": \"a\", \"env\": \"b\"}, \"cmd\": \"c\"}}}");

	assert_int_equal(c->n, 2);
	assert_int_equal(c->n_warnings, 0);
}

TEST(columns_count_characters)
{
	refused("{\"cmd\": \"\xc3\xa4\", \"services\": {\"web\": 3}}", "column 27: service 'web'");
}

TEST(file_that_is_no_text_is_refused)
{
	static const char bytes[] = "{\"services\":\n{\"w\0b\": {}}}";
	_cleanup_file_ FILE *f = fopen(at(".portdaddyrc"), "w");

	assert_int_equal(fwrite(bytes, sizeof(bytes) - 1, 1, f), 1);
	assert_int_equal(fflush(f), 0);
	is_refused("line 2, column 4: a NUL byte");
	refused("{\"services\": {\"\xff\": {}}}", "line 1");
	refused("{\"project\": \"cut off", "line 1, column 21: unexpected end");
}

TEST(file_of_ten_megabytes_is_refused_with_the_limit)
{
	write_file(".portdaddyrc", "{}");
	assert_int_equal(truncate(at(".portdaddyrc"), 10 << 20), 0);
	is_refused("10485760 bytes long; at most 1048576");
}

static void warned(const struct config *c, const char *words)
{
	for (size_t i = 0; i < c->n_warnings; i++)
		if (strstr(c->warnings[i], words))
			return;
	fail_msg("no warning says '%s'; the first is '%s'", words,
		 c->n_warnings ? c->warnings[0] : "");
}

TEST(names_that_are_not_known_are_warned_of_with_the_nearest)
{
	_cleanup_(config_freep) struct config *c = read_config(
		"{\n\"projct\": \"x\", \"zzz\": null,\n\"services\": {\"web\": {\n"
		"  \"healthpath\": \"/x\", \"needs\": [\"api\"], \"port\": 3000}}}");

	warned(c, "line 2, column 1: \"projct\" is not known; did you mean \"project\"?");
	warned(c, "\"zzz\" is not known and not obeyed");
	warned(c, "line 4, column 3: \"healthpath\" is not known of a service; did you mean "
		  "\"healthPath\"?");
	warned(c, "needs 'api', which is not in this file");
	warned(c, "\"port\" is not obeyed");
	warned(c, ":web -p 3000");
	assert_int_equal(c->n_warnings, 5);
	assert_int_equal(c->n, 1);
}

TEST(warnings_are_bounded)
{
	_cleanup_(config_freep) struct config *c = NULL;
	char text[2048] = "{";

	for (int i = 0; i < 100; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "\"u%d\": 1,", i);
	strcat(text, "}");
	c = read_config(text);
	assert_int_equal(c->n_warnings, CONFIG_WARNINGS_MAX);
	assert_non_null(strstr(c->warnings[CONFIG_WARNINGS_MAX - 1], "and more"));
}

TEST(settings_without_services_are_read)
{
	_cleanup_(config_freep) struct config *c =
		read_config("{\"cleanupAge\": \"2d\", \"range\": \"4000-4999\"}");

	assert_int_equal(c->n, 0);
	assert_string_equal(c->cleanup_age, "2d");
	assert_string_equal(c->range, "4000-4999");
}

/* Whatever stands in the file: a verdict, and neither a crash nor a hang. */
TEST(random_damage_to_a_file_does_no_harm)
{
	static const char sound[] =
		"{ // c\n \"project\": \"shop\", \"services\": {\n"
		" \"web\": {\"cmd\": \"x\", \"needs\": [\"api\",]}, /* a */\n"
		" \"api\": {\"healthPath\": \"/h\", \"env\": {\"A\": \"1\"}}, }, }\n";
	static const char alphabet[] = "{}[]\",:/*\\'\n 0a\xff";

	struct random_source random = random_start("damage");

	for (int round = 0; round < 3000; round++) {
		struct config *c = NULL;
		char error[PATH_MAX + 256] = "", text[sizeof(sound)];
		int r;

		memcpy(text, sound, sizeof(sound));
		for (unsigned n = 1 + random_below(&random, 4); n > 0; n--)
			text[random_below(&random, sizeof(text) - 1)] =
				alphabet[random_below(&random, sizeof(alphabet) - 1)];
		if (random_below(&random, 4) == 0)
			text[random_below(&random, sizeof(text) - 1)] = '\0';
		write_file(".portdaddyrc", text);
		r = config_find(root, &c, error, sizeof(error));
		assert_true(r == 1 || (r < 0 && *error && !c));
		config_free(c);
	}
}

static void top_is(const char *path, const char *expected)
{
	char top[PATH_MAX];

	assert_int_equal(project_top(at(path), top), 0);
	assert_string_equal(top, at(expected));
}

TEST(top_of_a_tree_is_the_nearest_directory_with_git_in_it)
{
	directory("shop/.git");
	directory("shop/web/src");
	directory("shop/vendor/lib/src");
	write_file("shop/vendor/lib/.git", "gitdir: ../../.git/modules/lib\n");
	directory("elsewhere/deep");
	top_is("shop/web/src", "shop");
	top_is("shop", "shop");
	top_is("shop/vendor/lib/src", "shop/vendor/lib");
	top_is("elsewhere/deep", "elsewhere/deep");
}

EACH_TEST_MAIN(make_root, remove_root)
