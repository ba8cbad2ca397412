/* SPDX-License-Identifier: MIT */
/* The subset of the kernel's types that programs are loaded by, and the file that keeps it. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "sentinel/bpf_load.h"
#include "sentinel/bpf_objects.h"
#include "sentinel/kernel_types.h"
#include "sentinel/sentinel.h"
#include "testing.h"

#define OFFSET_OF_HASHES 8 /* in the file: what tells kernel and programs */

struct kept {
	char path[64];
	int directory;
	struct types_subset_object objects[2];
};

static int setup(void **state)
{
	static struct kept k;

	snprintf(k.path, sizeof(k.path), "/tmp/pd-types-XXXXXX");
	if (!mkdtemp(k.path))
		return -1;
	k.directory = open(k.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	k.objects[0].bytes = portdaddy_listen__elf_bytes(&k.objects[0].size);
	k.objects[1].bytes = portdaddy_ask__elf_bytes(&k.objects[1].size);
	kernel_types_keep_in(k.directory);
	bpf_load_capture_messages();
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	struct kept *k = *state;

	kernel_types_use_all();
	kernel_types_keep_in(-1);
	unlinkat(k->directory, SENTINEL_TYPES_FILE, 0);
	close(k->directory);
	return rmdir(k->path);
}

/* The file's number, which another file in its place has not; 0 = there is none. */
static ino_t file_of(const struct kept *k)
{
	struct stat st;

	return fstatat(k->directory, SENTINEL_TYPES_FILE, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_ino;
}

static const char *use(const struct kept *k)
{
	const char *why = kernel_types_use_subset(k->objects, ARRAY_SIZE(k->objects));

	if (access("/sys/kernel/btf/vmlinux", R_OK))
		skip(); /* this kernel has no types to tell */
	return why;
}

static void change_byte(const struct kept *k, off_t at)
{
	int fd = openat(k->directory, SENTINEL_TYPES_FILE, O_RDWR | O_CLOEXEC);
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	close(fd);
}

/* --- what is loaded --- */

/* What is not the kernel's types' but of this load: descriptors and addresses. */
static bool is_of_the_load(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg;
}

static void assert_same_program(const struct bpf_program *a, const struct bpf_program *b)
{
	const struct bpf_insn *ours = bpf_program__insns(a), *theirs = bpf_program__insns(b);
	struct bpf_prog_info info[2] = { 0 };
	uint32_t size = sizeof(info[0]);

	assert_int_equal(bpf_program__insn_cnt(a), bpf_program__insn_cnt(b));
	for (size_t i = 0; i < bpf_program__insn_cnt(a); i++) {
		if (is_of_the_load(&ours[i])) {
			i++; /* its second half */
			continue;
		}
		assert_memory_equal(&ours[i], &theirs[i], sizeof(ours[i]));
	}
	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(a), &info[0], &size), 0);
	assert_int_equal(bpf_obj_get_info_by_fd(bpf_program__fd(b), &info[1], &size), 0);
	assert_int_equal(info[0].attach_btf_id, info[1].attach_btf_id);
}

/* How many programs were compared. */
static int compare(struct bpf_object *by_subset, struct bpf_object *by_all)
{
	struct bpf_program *program;
	int n = 0;

	bpf_object__for_each_program(program, by_subset)
	{
		const struct bpf_program *other =
			bpf_object__find_program_by_name(by_all, bpf_program__name(program));

		assert_non_null(other);
		if (bpf_program__fd(program) < 0)
			continue;
		assert_same_program(program, other);
		n++;
	}
	return n;
}

/* Without those on the kernel's functions, where it takes none there. */
static struct portdaddy_listen *load_listen(void)
{
	struct portdaddy_listen *skel = portdaddy_listen__open();
	bool takes_all = bpf_load_functions_can_be_traced();
	struct bpf_program *program;

	assert_non_null(skel);
	bpf_object__for_each_program(program, skel->obj)
	{
		enum bpf_attach_type type = bpf_program__expected_attach_type(program);

		if (!takes_all && (type == BPF_TRACE_FENTRY || type == BPF_TRACE_FEXIT))
			bpf_program__set_autoload(program, false);
	}
	if (portdaddy_listen__load(skel) == 0)
		return skel;
	portdaddy_listen__destroy(skel);
	return NULL;
}

TEST_WITH(programs_loaded_by_the_subset_are_those_loaded_by_all_types, struct kept *k)
{
	struct portdaddy_listen *listens[2];
	struct portdaddy_ask *asks[2];

	/* by all types first: what fails then this kernel does not take */
	for (int i = 1; i >= 0; i--) {
		if (i)
			kernel_types_use_all();
		else
			assert_null(use(k));
		listens[i] = load_listen();
		asks[i] = portdaddy_ask__open_and_load();
		if (i && (!listens[i] || !asks[i]))
			skip();
		assert_true(listens[i] && asks[i]);
	}
	assert_true(compare(listens[0]->obj, listens[1]->obj) > 10);
	assert_true(compare(asks[0]->obj, asks[1]->obj) > 3);
	for (int i = 0; i < 2; i++) {
		portdaddy_listen__destroy(listens[i]);
		portdaddy_ask__destroy(asks[i]);
	}
}

/* --- the file --- */

TEST_WITH(file_of_the_same_kernel_and_programs_is_used_again, struct kept *k)
{
	ino_t first;

	assert_null(use(k));
	first = file_of(k);
	assert_int_not_equal(first, 0);
	assert_null(use(k));
	assert_int_equal(file_of(k), first);
}

TEST_WITH(file_of_another_kernel_is_made_anew, struct kept *k)
{
	ino_t first;

	use(k);
	first = file_of(k);
	change_byte(k, OFFSET_OF_HASHES);
	assert_string_equal(use(k), "it is of another kernel, or of another build");
	assert_int_not_equal(file_of(k), first);
	assert_null(use(k));
}

TEST_WITH(file_of_other_programs_is_made_anew, struct kept *k)
{
	struct types_subset_object first = k->objects[0];
	ino_t theirs;

	use(k);
	theirs = file_of(k);
	k->objects[0] = k->objects[1];
	k->objects[1] = first;
	assert_string_equal(use(k), "it is of another kernel, or of another build");
	assert_int_not_equal(file_of(k), theirs);
	assert_null(use(k));
}

TEST_WITH(damaged_file_is_made_anew, struct kept *k)
{
	static const off_t places[] = { 0, 30, 1000, 1000000 };

	use(k);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		change_byte(k, places[i]);
		assert_string_equal(use(k), "it is damaged");
		assert_null(use(k));
	}
}

TEST_WITH(file_that_ends_early_is_made_anew, struct kept *k)
{
	static const off_t sizes[] = { 0, 20, 100000 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int fd;

		use(k);
		fd = openat(k->directory, SENTINEL_TYPES_FILE, O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		close(fd);
		assert_string_equal(use(k), "it is damaged");
	}
}

static void assert_is_distrusted(const struct kept *k)
{
	ino_t theirs = file_of(k);

	assert_string_equal(use(k), "somebody else than root may write to it");
	assert_int_not_equal(file_of(k), theirs);
	assert_null(use(k));
}

TEST_WITH(file_that_somebody_else_may_write_to_is_not_used, struct kept *k)
{
	use(k);
	fchmodat(k->directory, SENTINEL_TYPES_FILE, 0664, 0);
	assert_is_distrusted(k);
	fchmodat(k->directory, SENTINEL_TYPES_FILE, 0646, 0);
	assert_is_distrusted(k);
	fchownat(k->directory, SENTINEL_TYPES_FILE, 65534, 65534, 0);
	assert_is_distrusted(k);
	linkat(k->directory, SENTINEL_TYPES_FILE, k->directory, "link", 0);
	assert_is_distrusted(k);
	unlinkat(k->directory, "link", 0);
}

TEST_WITH(link_in_the_place_of_the_file_is_replaced_and_not_followed, struct kept *k)
{
	struct stat st;

	use(k);
	renameat(k->directory, SENTINEL_TYPES_FILE, k->directory, "real");
	symlinkat("real", k->directory, SENTINEL_TYPES_FILE);
	symlinkat("elsewhere", k->directory, SENTINEL_TYPES_FILE ".new");
	assert_string_equal(use(k), strerror(ELOOP));
	assert_int_equal(fstatat(k->directory, SENTINEL_TYPES_FILE, &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(faccessat(k->directory, "elsewhere", F_OK, 0), -1);
	unlinkat(k->directory, "real", 0);
}

TEST_WITH(whoever_is_not_root_keeps_nothing, struct kept *k)
{
	const char *why;

	/* where it might write, and does not */
	assert_int_equal(chmod(k->path, 0777), 0);
	assert_int_equal(seteuid(65534), 0);
	why = use(k);
	assert_int_equal(seteuid(0), 0);
	assert_null(why);
	assert_int_equal(file_of(k), 0);
}

EACH_TEST_MAIN(setup, teardown)
