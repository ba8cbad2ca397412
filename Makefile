# SPDX-License-Identifier: MIT
# Port Daddy for Linux.  `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(or $(shell scripts/find-bpftool),bpftool)
PKG_CONFIG ?= pkg-config
# SANITIZE=1 builds with the address and undefined-behaviour sanitizers, WERROR=1 stops at warnings.
# FUZZ=1 builds what tests/fuzz tests so that libFuzzer sees which way an input took (clang).
SANITIZE ?=
FUZZ ?=
WERROR ?=
# Another architecture: CC is its compiler, BPF_ARCH its name among BPF's, and SYSROOT has its
# libraries (tests/vm/make-root).
SYSROOT ?=

comma := ,
space := $() $()
# The directory of the source may have blanks, and quotes.
PREFIX_MAP := '-ffile-prefix-map=$(subst ','\'',$(CURDIR))=.'

# --- flags -------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wmissing-prototypes \
	-Wstrict-prototypes -Wold-style-definition -Wundef -Wvla -Wformat=2 -Wformat-truncation=0 \
	-Wno-unused-parameter -Wno-missing-field-initializers \
	$(if $(findstring clang,$(CC)),-Wno-unknown-warning-option)
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(if $(SYSROOT),--sysroot=$(SYSROOT)) $(CFLAGS) $(WARNINGS) $(if $(WERROR),-Werror) \
	$(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer -fno-sanitize-recover=all) \
	$(if $(FUZZ),-fsanitize=fuzzer-no-link) \
	-D_GNU_SOURCE -DPD_VERSION='"$(VERSION)"' -fstack-protector-strong -ffunction-sections \
	-fdata-sections $(PREFIX_MAP) -I. -Iuserspace -I$(BUILD)
ALL_LDFLAGS := $(if $(SYSROOT),--sysroot=$(SYSROOT)) -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS) \
	$(if $(SANITIZE),-fsanitize=address$(comma)undefined)

pkg = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
# libbpf is linked statically where the distribution ships the archive (Debian, Ubuntu, Fedora).
LIBBPF_ARCHIVE := $(firstword $(wildcard $(shell $(PKG_CONFIG) --variable=libdir libbpf 2>/dev/null)/libbpf.a))
# The wrapped functions are in sentinel/bpf_load.c and sentinel/kernel_types.c.
LIBS_sentinel := -Wl,--wrap=bpf_btf_get_next_id,--wrap=btf__load_vmlinux_btf $(if $(LIBBPF_ARCHIVE),$(LIBBPF_ARCHIVE),-lbpf) -lelf -lz -pthread
LIBS_inventory := -lmnl
LIBS_registry := -pthread
LIBS_database := -lsqlite3
# The order is that of the linker: who uses comes before what is used.
# OpenSSL, and libevent's half of it, are loaded at the first check over TLS (health/tls.c).
LIBS_health := -levent_extra -levent_core -ldl
LIBS_tracker := -levent_core
LIBS_coordination := -levent_core
LIBS_http := -levent_core -levent_extra -ljson-c -pthread
LIBS_view := -ljson-c
LIBS_api := -ljson-c
LIBS_daemon := -lcap-ng $(call pkg,libseccomp)
# pd is started by every script and prompt: a library less to find, map and bind is felt there.
JSON_C_ARCHIVE := $(firstword $(wildcard $(shell $(PKG_CONFIG) --variable=libdir json-c 2>/dev/null)/libjson-c.a))
LIBS_cli := $(or $(JSON_C_ARCHIVE),-ljson-c)

# --- rooms: each a static library; a room's tests link only what the room may use -------------
ROOMS := base sentinel inventory registry database reconcile provenance explain tracker coordination runs health checks http view api daemon
USES_base :=
USES_sentinel := base
USES_inventory := base
USES_database := base
USES_registry := database base
USES_reconcile := base registry inventory
USES_provenance := inventory base
USES_explain := provenance reconcile registry inventory sentinel base
USES_tracker := explain provenance reconcile registry inventory sentinel base
USES_coordination := tracker reconcile registry base
USES_runs := coordination tracker registry base
USES_health := base
USES_checks := health tracker provenance reconcile registry inventory base
BELOW_checks := explain sentinel # what the tracker that its tests run stands on
USES_http := base
USES_view := http checks runs coordination tracker explain provenance reconcile registry inventory sentinel base
BELOW_view := health # what checks stand on
USES_api := view http checks runs coordination tracker explain provenance health reconcile registry inventory sentinel base
USES_daemon := api view http checks runs coordination tracker explain provenance health reconcile registry inventory sentinel base
USES_cli := base

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c $(1)/*/*.c))
archive = $(BUILD)/lib$(1).a
# a room and what it links: what it uses, and what that stands on
linked = $(1) $(USES_$(1)) $(BELOW_$(1)) $(if $(filter registry,$(USES_$(1))),database)
# ... with the libraries of all; the archives refer to each other: one group
link_room = -Wl,--start-group $(foreach r,$(call linked,$(1)),$(call archive,$(r))) -Wl,--end-group \
	$(foreach r,$(call linked,$(1)),$(LIBS_$(r)))

all: $(BUILD)/pd $(BUILD)/portdaddyd ## build pd and portdaddyd

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

# The commit, for `pd version`: looked at in each build, and compiled again when it is another one.
$(BUILD)/commit.h: FORCE
	@mkdir -p $(@D)
	@scripts/commit >$@.tmp
	@cmp -s $@.tmp $@ && rm $@.tmp || mv $@.tmp $@
$(BUILD)/obj/userspace/base/build.o: $(BUILD)/commit.h
$(BUILD)/obj/userspace/base/build.o: ALL_CFLAGS += -include $(BUILD)/commit.h

# The parts of completion and of the hook that are each shell's, as strings.
SHELLS := bash zsh fish
$(BUILD)/%_scripts.h: $(foreach s,$(SHELLS),cli/%/pd.$(s)) Makefile
	@mkdir -p $(@D)
	@for s in $(SHELLS); do \
		echo "static const char script_$$s[] ="; \
		sed 's/[\\"]/\\&/g; s/.*/\t"&\\n"/' cli/$*/pd.$$s; echo ';'; \
	done >$@.tmp
	@mv $@.tmp $@
$(BUILD)/obj/cli/completion/scripts.o: $(BUILD)/completion_scripts.h
$(BUILD)/obj/cli/commands/hook.o: $(BUILD)/hook_scripts.h

define room_rules
$(call archive,$(1)): $(call objects,userspace/$(1))
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rules,$(r))))
$(BUILD)/libcli.a: $(filter-out $(BUILD)/obj/cli/pd.o,$(call objects,cli))
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/pd: $(BUILD)/obj/cli/pd.o $(BUILD)/libcli.a $(BUILD)/libbase.a
	$(CC) $(ALL_LDFLAGS) $< -o $@ $(call link_room,cli)

# Whole archives: two rooms that define one name are an error here, not a silent choice.
$(BUILD)/portdaddyd: $(foreach r,$(ROOMS),$(call archive,$(r)))
	$(CC) $(ALL_LDFLAGS) -Wl,--whole-archive $^ -Wl,--no-whole-archive -o $@ \
		$(foreach r,$(ROOMS),$(LIBS_$(r)))

# --- BPF ---------------------------------------------------------------------
BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/;s/ppc64le/powerpc/;s/riscv64/riscv/')
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Werror \
	$(PREFIX_MAP) -I. $(if $(MULTIARCH),-I$(SYSROOT)/usr/include/$(MULTIARCH))

BPF_OBJECTS := listen listen_5_10 ask

# A source archive has the skeletons of some architectures with it, and needs no clang for them.
PREBUILT := $(wildcard bpf/prebuilt/$(BPF_ARCH))
ifneq ($(PREBUILT),)
$(BPF_OBJECTS:%=$(BUILD)/%.skel.h): $(BUILD)/%.skel.h: $(PREBUILT)/%.skel.h
	@mkdir -p $(@D)
	cp $< $@
else
$(BPF_OBJECTS:%=$(BUILD)/%.bpf.o): $(BUILD)/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.[ch]) Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp
	$(BPFTOOL) gen object $@ $@.tmp
	@rm -f $@.tmp

# The name is also what the kernel shows maps by: whose they are.
$(BPF_OBJECTS:%=$(BUILD)/%.skel.h): $(BUILD)/%.skel.h: $(BUILD)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name portdaddy_$* > $@.tmp
	@mv $@.tmp $@
endif

# those that include sentinel/bpf_objects.h
$(addprefix $(BUILD)/obj/userspace/sentinel/,attach.o bpf_objects.o maps.o questions.o rules.o rules_proof.o sentinel_bpf.o): \
	$(BPF_OBJECTS:%=$(BUILD)/%.skel.h)

# --- tests -------------------------------------------------------------------
# tests/unit/ROOM/NAME.c links room ROOM and what that room may use, nothing more;
# tests/kernel/NAME.c links everything; tests/cli/NAME.py drives the programs; tests/cases/NAME.c
# is a situation that tests/cases/run.py asks `pd why` about.
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/*.c))
KERNEL_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/kernel/test_*.c))

.SECONDEXPANSION:
room_of = $(word 3,$(subst /, ,$(patsubst $(BUILD)/%,%,$(1))))
$(BUILD)/tests/unit/%: tests/unit/%.c Makefile $$(foreach r,$$(call linked,$$(call room_of,$$@)),$$(call archive,$$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Itests $< -o $@ $(ALL_LDFLAGS) $(call link_room,$(call room_of,$@)) -lcmocka

# lets allocations of the rooms fail
$(BUILD)/tests/unit/api/test_start: ALL_LDFLAGS += -Wl,--wrap=calloc
$(BUILD)/tests/unit/sentinel/test_proof: ALL_LDFLAGS += -Wl,--wrap=kill
$(BUILD)/tests/unit/tracker/test_losses: ALL_LDFLAGS += -Wl,--wrap=calloc
$(BUILD)/tests/unit/api/test_memory: ALL_LDFLAGS += $(addprefix -Wl$(comma)--wrap=,malloc calloc realloc strdup \
	json_object_new_object json_object_new_array json_object_new_string json_object_new_int64 \
	json_object_new_int json_object_new_boolean json_object_array_add json_object_object_add \
	json_object_object_add_ex)

$(BUILD)/tests/kernel/%: tests/kernel/%.c Makefile $(foreach r,$(ROOMS),$(call archive,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Itests $< -o $@ $(ALL_LDFLAGS) $(call link_room,daemon) -lcmocka

# A parser each, fed with any bytes; replayed with the inputs of tests/fuzz/corpus, or by libFuzzer.
FUZZ_TARGETS := $(patsubst %.c,$(BUILD)/%,$(filter-out %/replay.c,$(wildcard tests/fuzz/*.c)))
$(BUILD)/tests/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c Makefile $(BUILD)/libcli.a $(foreach r,$(filter-out daemon,$(ROOMS)),$(call archive,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Itests $< $(if $(FUZZ),-fsanitize=fuzzer,tests/fuzz/replay.c) \
		-o $@ $(ALL_LDFLAGS) $(BUILD)/libcli.a $(call link_room,api) $(LIBS_cli) -lcmocka

# Small programs that the command-line tests start: servers with habits that python's have not.
CLI_HELPERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/cli/helpers/*.c))
$(BUILD)/tests/cli/helpers/%: tests/cli/helpers/%.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(if $(WERROR),-Werror) -D_GNU_SOURCE $(HELPER_FLAGS) $< -o $@
$(BUILD)/tests/cli/helpers/failing_writes: HELPER_FLAGS := -shared -fPIC

# Situations in which bind() is refused, played for tests/cases/run.py.
CASES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/cases/*.c))
$(BUILD)/tests/cases/%: tests/cases/%.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(if $(WERROR),-Werror) -D_GNU_SOURCE -MMD -MP -MF $@.d \
		-pthread $< -o $@

# What tests/bench/run measures with; cores and resync link the rooms that they measure.
BENCH_TOOLS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
$(BUILD)/tests/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARNINGS) $(if $(WERROR),-Werror) -D_GNU_SOURCE -MMD -MP -MF $@.d \
		-pthread $< -o $@ -lsqlite3
$(BUILD)/tests/bench/cores $(BUILD)/tests/bench/resync $(BUILD)/tests/bench/rules: $(BUILD)/tests/bench/%: tests/bench/%.c Makefile $(foreach r,$(filter-out daemon,$(ROOMS)),$(call archive,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ $(ALL_LDFLAGS) $(call link_room,api)

unit-tests: $(UNIT_TESTS) $(FUZZ_TARGETS)
fuzz-targets: $(FUZZ_TARGETS)
kernel-tests: $(KERNEL_TESTS)
cli-helpers: $(CLI_HELPERS)
cases: $(CASES) $(BUILD)/tests/bench/herd
bench-tools: all $(BENCH_TOOLS)

# --- what people type --------------------------------------------------------
# T=TEXT runs only the tests whose name, or whose file's name, contains TEXT.
T ?=
RUN_TESTS := tests/run --build $(BUILD) $(if $(T),-k '$(T)')

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(firstword $(MAKEFILE_LIST)) | \
		awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

run: ## set up, build, start the daemon, show what is on the ports
	@BUILD=$(BUILD) scripts/run

demo: ## the 2:47 am story with real processes, on a daemon of its own
	@scripts/bootstrap build
	@$(MAKE) -s --no-print-directory -j$$(nproc) all
	@BUILD=$(BUILD) scripts/demo

test: ## everything; T=TEXT: only the tests whose name contains TEXT
	@scripts/bootstrap test
	@$(RUN_TESTS)

test-unit: ## the unit tests, under sanitizers; T=TEXT as above
	@scripts/bootstrap test
	@$(RUN_TESTS) unit

test-kernel: ## the kernel tests: real eBPF, as root; T=TEXT as above
	@scripts/bootstrap test
	@$(RUN_TESTS) kernel

# K=TEXT: only such lines of the table; VM_FLAGS=--write: into tests/vm/README.md as well.
test-vm: all kernel-tests cases ## stock and degraded kernels, in virtual machines; K=TEXT (Debian, root; hours without KVM)
	@PD_BUILD=$(BUILD) tests/vm/suite $(if $(K),-k '$(K)') $(VM_FLAGS)

# The distribution's cross compiler, a root with its libraries, and an emulated machine.
test-vm-arm64: ## cross-built for arm64, the kernel tests in an emulated machine; K=TEXT (Debian, root; ten minutes)
	@BUILD=$(BUILD) K='$(K)' tests/vm/suite-arm64

test-cli: ## the command-line tests: the real daemon and pd; T=TEXT as above
	@scripts/bootstrap test
	@$(RUN_TESTS) cli

test-cases: ## every verdict of pd why, played with real processes; T=TEXT as above
	@scripts/bootstrap test
	@$(RUN_TESTS) cases

FUZZ_S ?= 30
fuzz: ## look for inputs that break a parser; K=TEXT: only such targets, FUZZ_S=N: seconds for each
	@scripts/bootstrap fuzz
	@$(MAKE) -s --no-print-directory -j$$(nproc) BUILD=$(BUILD)/fuzz CC=clang SANITIZE=1 FUZZ=1 fuzz-targets
	@tests/fuzz/run $(BUILD)/fuzz $(FUZZ_S) '$(K)'

bench: ## speed and memory, each against something measured beside it; K=TEXT: only such lines
	@scripts/bootstrap bench
	@$(MAKE) -s --no-print-directory -j$$(nproc) bench-tools
	@PD_BUILD=$(BUILD) tests/bench/run --json $(BUILD)/bench.json $(if $(K),-k '$(K)')

bench-check: ## what became slower than tests/bench/baseline.json says
	@scripts/bootstrap bench
	@$(MAKE) -s --no-print-directory -j$$(nproc) bench-tools
	@PD_BUILD=$(BUILD) tests/bench/run --check tests/bench/baseline.json $(if $(K),-k '$(K)')

check: ## rooms, names, formatting, and what shellcheck, systemd, man and lintian say; seconds
	@scripts/bootstrap test
	@$(RUN_TESTS) checks

format: ## lay out every C file with clang-format
	@scripts/bootstrap test
	find bpf cli userspace tests -name '*.[ch]' -print0 | xargs -0 clang-format -i

# --- the manual, and where everything goes -------------------------------------
# The date of the commit: the same source gives the same pages.
MANUAL_DATE = $(shell date -u -d "@$$(sed -n 's/.*PD_COMMITTED_AT //p' $(BUILD)/commit.h)" +%Y-%m-%d)
MANUAL_SOURCES := $(wildcard scripts/packaging/man/*) scripts/packaging/schema/portdaddyrc.schema.json
COMMANDS := $(shell sed -n 's/^\t\.name = "\(.*\)",$$/\1/p' cli/commands/*.c)
MANUAL_PAGES := man1/pd.1 $(COMMANDS:%=man1/pd-%.1) man5/portdaddyrc.5 man7/port-daddy-api.7 man8/portdaddyd.8

$(BUILD)/man/written: scripts/manual $(MANUAL_SOURCES) $(BUILD)/pd $(BUILD)/portdaddyd
	@rm -rf $(@D)
	scripts/manual $(BUILD)/pd $(BUILD)/portdaddyd $(@D) $(MANUAL_DATE)
	@touch $@

man: $(BUILD)/man/written ## write the manual pages from the command table

BINDIR := $(PREFIX)/bin
MANDIR := $(PREFIX)/share/man
DOCDIR := $(PREFIX)/share/doc/port-daddy
# where each shell looks; zsh as Debian has it needs ZSHDIR=$(PREFIX)/share/zsh/vendor-completions
BASHDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNITDIR ?= $(PREFIX)/lib/systemd/system
USERUNITDIR ?= $(PREFIX)/lib/systemd/user
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
SYSTEMD := scripts/packaging/systemd

# DESTDIR and PREFIX may have blanks and quotes, as words of the shell; systemd takes blanks alone.
quoted = '$(subst ','\'',$(1))'
to = $(call quoted,$(DESTDIR)$(1))
unit_path = $(subst &,\&,$(subst $(space),\\x20,$(subst %,%%,$(1))))
write_unit = sed $(call quoted,s|@bindir@|$(call unit_path,$(BINDIR))|) $(SYSTEMD)/$(1).in >$(call to,$(2))

install: all $(BUILD)/man/written ## install into $(DESTDIR)$(PREFIX), /usr/local by default; replace an older daemon
	install -D -m 755 -t $(call to,$(BINDIR)) $(BUILD)/pd $(BUILD)/portdaddyd
	install -D -m 644 -t $(call to,$(DOCDIR)) README.md LICENSE scripts/packaging/{doc/*.md,schema/*.json}
	for page in $(MANUAL_PAGES); do \
		install -D -m 644 $(BUILD)/man/$${page#*/} $(call to,$(MANDIR))/$$page || exit; \
	done
	install -D -m 644 cli/completion/pd.bash $(call to,$(BASHDIR)/pd)
	install -D -m 644 cli/completion/pd.zsh $(call to,$(ZSHDIR)/_pd)
	install -D -m 644 cli/completion/pd.fish $(call to,$(FISHDIR)/pd.fish)
	install -d $(call to,$(UNITDIR)) $(call to,$(USERUNITDIR))
	$(call write_unit,portdaddyd.service,$(UNITDIR)/portdaddyd.service)
	$(call write_unit,user/portdaddyd.service,$(USERUNITDIR)/portdaddyd.service)
	chmod 644 $(call to,$(UNITDIR)/portdaddyd.service) $(call to,$(USERUNITDIR)/portdaddyd.service)
	install -D -m 644 -t $(call to,$(UNITDIR)) $(SYSTEMD)/portdaddyd.socket
	install -D -m 644 $(SYSTEMD)/port-daddy.sysusers $(call to,$(SYSUSERSDIR)/port-daddy.conf)
	install -D -m 644 $(SYSTEMD)/port-daddy.tmpfiles $(call to,$(TMPFILESDIR)/port-daddy.conf)
	@$(if $(DESTDIR),true,scripts/replace-daemon $(call quoted,$(BINDIR)/pd))

uninstall: ## remove what install installed; claims and their database stay
	rm -f $(call to,$(BINDIR)/pd) $(call to,$(BINDIR)/portdaddyd) \
		$(foreach page,$(MANUAL_PAGES),$(call to,$(MANDIR)/$(page))) \
		$(call to,$(BASHDIR)/pd) $(call to,$(ZSHDIR)/_pd) $(call to,$(FISHDIR)/pd.fish) \
		$(call to,$(UNITDIR)/portdaddyd.service) $(call to,$(UNITDIR)/portdaddyd.socket) \
		$(call to,$(USERUNITDIR)/portdaddyd.service) \
		$(call to,$(SYSUSERSDIR)/port-daddy.conf) $(call to,$(TMPFILESDIR)/port-daddy.conf)
	rm -rf $(call to,$(DOCDIR))

DIST := $(BUILD)/port-daddy-$(VERSION)
DIST_ARCHS := x86 arm64
skeletons: $(BPF_OBJECTS:%=$(BUILD)/%.skel.h)
dist: ## pack the source, with what clang makes of the eBPF programs: build/port-daddy-VERSION.tar.gz
	@for arch in $(DIST_ARCHS); do \
		$(MAKE) -s --no-print-directory BPF_ARCH=$$arch BUILD=$(BUILD)/bpf-$$arch skeletons || exit; \
	done
	@scripts/dist $(DIST) $(foreach a,$(DIST_ARCHS),$(a)=$(BUILD)/bpf-$(a))

deb: ## build the Debian package: build/deb
	@scripts/bootstrap deb
	@$(MAKE) -s --no-print-directory dist
	@scripts/deb $(DIST).tar.gz $(VERSION) $(BUILD)/deb

test-package: deb ## install, upgrade and purge the package in a Debian of its own; RPM, Arch (root; minutes)
	@scripts/bootstrap package
	@tests/package/run $(BUILD)/deb/port-daddy_$(VERSION)-1_*.deb
	@tests/package/others $(DIST).tar.gz $(VERSION)

clean: ## remove what was built
	rm -rf build

.PHONY: all help run demo test test-unit test-kernel test-vm test-vm-arm64 test-cli test-cases check format \
	install uninstall man dist skeletons deb test-package clean fuzz FORCE fuzz-targets unit-tests kernel-tests cli-helpers cases bench bench-check bench-tools
-include $(shell find $(BUILD)/obj $(BUILD)/tests -name '*.d' 2>/dev/null)
