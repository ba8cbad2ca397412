# SPDX-License-Identifier: MIT
# Port Daddy for Linux.  `make help` lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := all

VERSION := 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build
CC ?= cc
CLANG ?= clang
BPFTOOL ?= $(shell PATH=$$PATH:/usr/sbin:/sbin command -v bpftool || echo bpftool)
PKG_CONFIG ?= pkg-config
# SANITIZE=1 builds with the address and undefined-behaviour sanitizers, WERROR=1 stops at warnings.
SANITIZE ?=
WERROR ?=

# --- flags -------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wwrite-strings -Wmissing-prototypes \
	-Wstrict-prototypes -Wold-style-definition -Wundef -Wvla -Wformat=2 -Wformat-truncation=0 \
	-Wno-unused-parameter -Wno-missing-field-initializers -Wno-unknown-warning-option
CFLAGS ?= -O2 -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(WARNINGS) $(if $(WERROR),-Werror) \
	$(if $(SANITIZE),-fsanitize=address$(comma)undefined -fno-omit-frame-pointer -fno-sanitize-recover=all) \
	-D_GNU_SOURCE -DPD_VERSION='"$(VERSION)"' -fstack-protector-strong -ffunction-sections \
	-fdata-sections -ffile-prefix-map=$(CURDIR)=. -I. -Iuserspace -I$(BUILD)
comma := ,
ALL_LDFLAGS := -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS) \
	$(if $(SANITIZE),-fsanitize=address$(comma)undefined)

pkg = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
# libbpf is linked statically where the distribution ships the archive (Debian, Ubuntu, Fedora).
LIBBPF_ARCHIVE := $(firstword $(wildcard $(shell $(PKG_CONFIG) --variable=libdir libbpf 2>/dev/null)/libbpf.a))
LIBS_sentinel := $(if $(LIBBPF_ARCHIVE),$(LIBBPF_ARCHIVE),-lbpf) -lelf -lz
LIBS_inventory := -lmnl
LIBS_registry := -lsqlite3
LIBS_api := -levent_core -levent_extra -ljson-c
LIBS_daemon := -lcap-ng
LIBS_cli := -ljson-c -lsmartcols

# --- rooms: each a static library; a room's tests link only what the room may use -------------
ROOMS := base sentinel inventory registry reconcile api daemon
USES_base :=
USES_sentinel := base
USES_inventory := base
USES_registry := base
USES_reconcile := base registry inventory
USES_api := reconcile registry inventory sentinel base
USES_daemon := api reconcile registry inventory sentinel base
USES_cli := base

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard $(1)/*.c))
archive = $(BUILD)/lib$(1).a
# a room, what it uses, and the libraries of both; the archives refer to each other: one group
link_room = -Wl,--start-group $(foreach r,$(1) $(USES_$(1)),$(call archive,$(r))) -Wl,--end-group \
	$(foreach r,$(1) $(USES_$(1)),$(LIBS_$(r)))

all: $(BUILD)/pd $(BUILD)/portdaddyd ## build pd and portdaddyd

$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c $< -o $@

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

$(BUILD)/portdaddyd: $(BUILD)/obj/userspace/daemon/main.o $(foreach r,$(ROOMS),$(call archive,$(r)))
	$(CC) $(ALL_LDFLAGS) $< -o $@ $(call link_room,daemon)

# --- BPF ---------------------------------------------------------------------
BPF_ARCH := $(shell uname -m | sed 's/x86_64/x86/;s/aarch64/arm64/;s/ppc64le/powerpc/;s/riscv64/riscv/')
MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH) -Wall -Werror \
	-ffile-prefix-map=$(CURDIR)=. -I. $(if $(MULTIARCH),-I/usr/include/$(MULTIARCH))

$(BUILD)/portdaddy.bpf.o: bpf/portdaddy.bpf.c $(wildcard bpf/*.h) Makefile
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp
	$(BPFTOOL) gen object $@ $@.tmp
	@rm -f $@.tmp

$(BUILD)/portdaddy.skel.h: $(BUILD)/portdaddy.bpf.o
	$(BPFTOOL) gen skeleton $< name portdaddy_bpf > $@.tmp
	@mv $@.tmp $@

$(BUILD)/obj/userspace/sentinel/sentinel_bpf.o: $(BUILD)/portdaddy.skel.h

# --- tests -------------------------------------------------------------------
# tests/unit/ROOM/NAME.c links room ROOM and what that room may use, nothing more;
# tests/kernel/NAME.c links everything; tests/cli/NAME.py drives the programs.
UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/*.c))
KERNEL_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/kernel/test_*.c))

.SECONDEXPANSION:
room_of = $(word 3,$(subst /, ,$(patsubst $(BUILD)/%,%,$(1))))
$(BUILD)/tests/unit/%: tests/unit/%.c Makefile $$(foreach r,$$(call room_of,$$@) $$(USES_$$(call room_of,$$@)),$$(call archive,$$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Itests $< -o $@ $(ALL_LDFLAGS) $(call link_room,$(call room_of,$@)) -lcmocka

$(BUILD)/tests/kernel/%: tests/kernel/%.c Makefile $(foreach r,$(filter-out daemon,$(ROOMS)),$(call archive,$(r)))
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d -Itests $< -o $@ $(ALL_LDFLAGS) $(call link_room,api) -lcmocka

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-14s %s\n", $$1, $$2}'

clean: ## remove what was built
	rm -rf build

.PHONY: all help clean
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
