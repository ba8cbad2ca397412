/* SPDX-License-Identifier: MIT */
/* Units and containers by the paths that real systems use. */
#include "provenance/cgroup.h"
#include "testing.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *path, *unit, *container, *engine;
	bool of_user;
} rows[] = {
	{ "", "", "" },
	{ "/", "", "" },
	{ "/init.scope", "", "" },
	{ "/system.slice/nginx.service", "nginx.service", "" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "" },
	{ "/system.slice/app.service/worker", "app.service", "" },
	{ "/system.slice/ssh.service/session.scope", "", "" },
	{ "/user.slice/user-1000.slice/session-3.scope", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/init.scope", "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/vite.service", "vite.service",
	  "", NULL, true },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/app-term.scope", "", "" },
	{ "/system.slice/docker.service", "docker.service", "" },
	{ "/system.slice/docker-" HEX ".scope", "", "0123456789ab", "docker" },
	{ "/docker/" HEX, "", "0123456789ab", "docker" },
	{ "/docker/" HEX "/sub", "", "0123456789ab", "docker" },
	{ "/machine.slice/libpod-" HEX ".scope/container", "", "0123456789ab", "podman" },
	{ "/libpod_parent/" HEX, "", "0123456789ab", "podman" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" HEX ".scope", "",
	  "0123456789ab", "podman", true },
	{ "/kubepods.slice/kubepods-pod1.slice/cri-containerd-" HEX ".scope", "", "0123456789ab",
	  "crictl" },
	{ "/kubepods.slice/pod1/crio-" HEX ".scope", "", "0123456789ab", "crictl" },
	{ "/other/" HEX, "", "" },
	{ "/docker/" HEX "0", "", "" },
	{ "/system.slice/docker-abc.scope", "", "" },
};

TEST(every_path_names_its_unit_and_container)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cgroup_owner owner;

		cgroup_parse(rows[i].path, &owner);
		if (strcmp(owner.unit, rows[i].unit) != 0 ||
		    strcmp(owner.container, rows[i].container) != 0 ||
		    owner.of_user != rows[i].of_user)
			fail_msg("%s: unit \"%s\", container \"%s\"", rows[i].path, owner.unit,
				 owner.container);
		if (rows[i].engine)
			assert_string_equal(owner.engine, rows[i].engine);
		else
			assert_null(owner.engine);
	}
}

TEST(a_unit_of_any_length_is_cut_not_overrun)
{
	struct cgroup_owner owner;
	char path[4200];

	memset(path, 'a', sizeof(path));
	memcpy(path, "/x/", 3);
	memcpy(path + 300, ".service", 9);
	cgroup_parse(path, &owner);
	assert_int_equal(strlen(owner.unit), CGROUP_UNIT_SIZE - 1);
	memset(path, 'a', sizeof(path));
	path[sizeof(path) - 1] = 0;
	cgroup_parse(path, &owner);
	assert_string_equal(owner.unit, "");
}

TEST_MAIN(NULL, NULL)
