# SPDX-License-Identifier: MIT
#
# One Makefile for everything. Sources are found by folder: a new file needs no entry here.

help: ## list the targets (this)
	@echo 'usage: make [TARGET] [SAN=asan|ubsan|tsan|asan+ubsan] [DOCS=0|1] [WERROR=1] [CC=clang] [V=1]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{ printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
comma := ,

# ---------------------------------------------------------------------------------- configuration

VERSION := 0.1.0
SAN     ?=
# The page /docs: 1 builds it or fails, 0 leaves it out, auto builds it where npm can bring its parts.
DOCS    ?= auto
BUILD   ?= build$(if $(SAN),/$(SAN))$(if $(KILLPOINTS),/killpoints)$(if $(FUZZ),/fuzz)
FUZZ_S  ?= 120

ifeq ($(origin CC),default)
CC := gcc
endif

# The fortified libc and the sanitizers wrap the same functions: one of them at a time.
HARDEN := -fstack-protector-strong -D_FORTIFY_SOURCE=2
ifeq ($(SAN),asan)
SANITIZE := -fsanitize=address
else ifeq ($(SAN),ubsan)
SANITIZE := -fsanitize=undefined -fno-sanitize-recover=undefined
else ifeq ($(SAN),asan+ubsan)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
else ifeq ($(SAN),tsan)
SANITIZE := -fsanitize=thread
else ifneq ($(SAN),)
$(error SAN is one of asan, ubsan, tsan, asan+ubsan; "$(SAN)" is not)
endif
ifdef SANITIZE
HARDEN   :=
SANITIZE += -fno-omit-frame-pointer
endif
# Told where the fuzzed code goes: see tests/fuzz.
ifdef FUZZ
SANITIZE += -fsanitize=fuzzer-no-link
endif
ifdef COVERAGE
HARDEN   :=
SANITIZE += --coverage -fprofile-update=atomic
EXIT_SRC  := tests/coverage.c
EXIT_WRAP := -Wl$(comma)--wrap=_exit
endif

# As small as it goes: nothing unwinds a stack at run time (a debugger has .debug_frame), and what nobody calls is left out.
ifeq ($(SANITIZE)$(COVERAGE),)
SMALL    := -fno-asynchronous-unwind-tables -fno-unwind-tables -ffunction-sections -fdata-sections
SMALL_LD := -Wl,--gc-sections,-z,pack-relative-relocs
endif

# Builds that die where they are told to: see base/killpoint.h.
ifdef KILLPOINTS
CPPFLAGS    += -DCRECHE_KILLPOINTS
POINT_SRC   := tests/crash/killpoint.c
INIT_POINTS := tests/crash/init_points.c
INIT_WRAP   := $(addprefix -Wl$(comma)--wrap=,fork execve kill sigtimedwait waitid syscall sendmsg recvmsg)
endif

# A handler that no operation declares has no prototype: it never compiles.
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror=missing-prototypes -Wformat=2 -Wswitch-enum -Wvla

# Of what a start costs, one part in fourteen is our own code: -O2 would save a hundredth, and take a quarter more room. Lists
# are another matter: what they are written with is FAST, below.
CFLAGS  ?= -Os -g
LDFLAGS ?=
ALL_CPPFLAGS = -D_GNU_SOURCE -DCRECHE_VERSION=\"$(VERSION)\" -Isrc -I$(BUILD)/gen $(CPPFLAGS)
ALL_CFLAGS   = -std=gnu17 $(CFLAGS) $(WARN) -fPIE -pthread $(SMALL) $(HARDEN) $(SANITIZE)
ALL_LDFLAGS  = -pie -pthread -Wl,-z,relro,-z,now $(SMALL_LD) $(SANITIZE) $(LDFLAGS)

# Asked for once and only when something is compiled: `make deps` may have to install pkg-config.
PACKAGES   := sqlite3 libmicrohttpd jansson gnutls zlib inih
CLI_PACKAGES := libcurl jansson sqlite3 gnutls inih
PKG_CFLAGS  = $(eval PKG_CFLAGS := $(call pkg_config,--cflags $(PACKAGES) $(CLI_PACKAGES)))$(PKG_CFLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $(call pkg_config,--libs $(PACKAGES)))$(PKG_LIBS)
CLI_LIBS    = $(eval CLI_LIBS := $(call pkg_config,--libs $(CLI_PACKAGES)))$(CLI_LIBS)
pkg_config  = $(shell pkg-config $(1) || \
                echo >&2 "A library is missing: run 'make deps' first.")

# In a recipe: use all processors unless the caller said how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(nproc))

# One line for each file made, the whole command with V=1.
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@ && )

# ------------------------------------------------------------------------------------------ sources

LAYERS    := base settings transport model store start logs registry http daemon cli
LIB_SRC   := $(foreach l,$(LAYERS),$(wildcard src/$(l)/*.c))
INIT_SRC  := $(wildcard src/init/*.c)
MAN_SRC   := $(wildcard src/man/*.scd)
MAIN_SRC  := $(wildcard src/creched.c src/creche.c)
UNIT_SRC  := $(wildcard tests/unit/*.c)
SEAM_SRC  := $(wildcard tests/seam/*.c)
INIT_TEST := $(wildcard tests/init/*.c)
FUZZ_SRC  := $(wildcard tests/fuzz/*.c)
CRASH_AID := $(addprefix $(BUILD)/tests/crash/,forbid witness clock_shim.so)
BENCH_AID := $(addprefix $(BUILD)/tests/bench/,nothing waits spawn load constant shim.so)

MIGRATIONS := $(sort $(wildcard sql/migrations/*.sql))
QUERIES    := $(sort $(wildcard sql/queries/*.sql))
GEN        := $(if $(MIGRATIONS),$(BUILD)/gen/sql) $(BUILD)/gen/openapi $(BUILD)/gen/routes
GEN_H      := $(addsuffix .h,$(GEN))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
# The programs of a suite: one for each test_*.c; its other files are linked into every one of them.
programs = $(patsubst %.c,$(BUILD)/%,$(filter $(dir $(firstword $(1)))test_%,$(1)))
helpers  = $(call obj,$(filter-out $(dir $(firstword $(1)))test_%,$(1)))

LIB      := $(BUILD)/libcreche.a
LIB_OBJ  := $(call obj,$(LIB_SRC) $(POINT_SRC)) $(addsuffix .o,$(GEN)) $(BUILD)/gen/assets.o
OBJ      := $(call obj,$(LIB_SRC) $(POINT_SRC) $(EXIT_SRC) $(INIT_SRC) $(INIT_POINTS) $(MAIN_SRC) $(UNIT_SRC) $(SEAM_SRC) $(INIT_TEST) \
	$(FUZZ_SRC) tests/replay.c src/man/generate.c)
PROGRAMS := $(if $(INIT_SRC),$(BUILD)/creche-init) $(patsubst src/%.c,$(BUILD)/%,$(MAIN_SRC))
MAN      := $(patsubst src/man/%.scd,$(BUILD)/man/%,$(MAN_SRC))
FUZZERS  := $(patsubst %.c,$(BUILD)/%,$(FUZZ_SRC))
TESTS    := $(call programs,$(UNIT_SRC)) $(call programs,$(SEAM_SRC)) $(call programs,$(INIT_TEST)) \
	$(FUZZERS) $(CRASH_AID) $(BENCH_AID) $(MAN)

# ------------------------------------------------------------------------------------------ targets

all: $(PROGRAMS) $(LIB) ## build the programs: creche-init, creched, creche

man: $(MAN) ## build the manual pages into build/man

run: ## install what is missing, build, and serve in the foreground
	@.ci/deps run
	@$(MAKE) --no-print-directory $(JOBS) all
	@exec $(BUILD)/creched

demo: ## the main job in half a minute, unattended
	@.ci/deps demo
	@$(MAKE) --no-print-directory $(JOBS) all
	@BUILD=$(abspath $(BUILD)) api/examples/demo.sh

check: ## install what is missing, build, lint, run every test
	@.ci/deps check
	@$(MAKE) --no-print-directory $(JOBS) DOCS=1 WERROR=1 all tests
	$(if $(SAN),,@$(MAKE) --no-print-directory $(JOBS) WERROR=1 KILLPOINTS=1 all)
	@$(TEST) $(if $(SAN),,lint) $(SUITES)

check-san: ## make check with asan+ubsan, then with tsan
	@$(MAKE) --no-print-directory check SAN=asan+ubsan
	@$(MAKE) --no-print-directory check SAN=tsan

lint: $(GEN_H) ## layers, format, static analysis, spelling
	@CC='$(CC)' BUILD='$(BUILD)' .ci/lint

format: ## put all C into the house's format
	clang-format -i $(wildcard src/*.c src/*/*.[ch] api/*.c tests/*.[ch] tests/*/*.[ch])

tests: $(TESTS) ## build the test programs, run none

test-unit: all $(call programs,$(UNIT_SRC)) ## C tests of the layers
	@$(TEST) unit

test-seam: $(call programs,$(SEAM_SRC)) ## C tests in which system calls fail
	@$(TEST) seam

test-init: all $(call programs,$(INIT_TEST)) ## tests of creche-init
	@$(TEST) init

test-api: all ## black-box tests of the HTTP API
	@$(TEST) api

test-cli: all man ## black-box tests of the command line
	@$(TEST) cli

test-contract: all ## what api/openapi.json declares against what is served
	@$(TEST) contract

test-fuzz: $(FUZZERS) ## give the fuzz targets what is kept in tests/fuzz/corpus
	@$(TEST) fuzz

fuzz: ## libFuzzer on each target for FUZZ_S=120 seconds; FUZZ_TARGETS='guard codec': these only
	@.ci/deps check
	@$(MAKE) --no-print-directory $(JOBS) FUZZ=1 CC=clang SAN=asan+ubsan fuzzers
	@.ci/fuzz build/asan+ubsan/fuzz '$(FUZZ_S)' $(or $(FUZZ_TARGETS),$(basename $(notdir $(FUZZ_SRC))))

fuzzers: $(FUZZERS)

model: ## check the model of crash safety with SPIN
	@.ci/deps check
	@$(TEST) model

coverage: ## lines that the unit, seam, init and API tests reach; fails below what is demanded
	@$(MAKE) --no-print-directory $(JOBS) BUILD=build/coverage COVERAGE=1 all tests
	@: 'A daemon that has another user writes down what it has counted, too.'
	@find build/coverage -name '*.gcda' -delete
	@find build/coverage -name '*.gcno' | sed 's/gcno$$/gcda/' | xargs -n 1 install -m 666 /dev/null
	@BUILD=build/coverage .ci/test $(filter-out contract model crash,$(SUITES))
	@.ci/coverage build/coverage

test-crash: all tests ## faults, kills and power cuts
	@$(MAKE) --no-print-directory $(JOBS) KILLPOINTS=1 all
	@$(TEST) crash

# Slow, for root, and of what no change of the source breaks: so not in make check, but in .ci/run, once.
test-package: all ## build and try the Debian package and the container image (root; five minutes, of which two are downloads)
	@.ci/deps package
	@$(MAKE) --no-print-directory deb
	@[ "$$(id -u)" != 0 ] || tests/package/base $(BUILD)/package
	@$(TEST) package docker

torture: ## the storms of make check a hundred times, and a soak of 8 hours; HOURS=1: as much as fits
	@.ci/deps check
	@$(MAKE) --no-print-directory $(JOBS) all tests
	@$(MAKE) --no-print-directory $(JOBS) KILLPOINTS=1 all
	@TORTURE=1 BUILD='$(abspath $(BUILD))' bats --filter flood tests/crash/disk.bats
	@tests/crash/torture.py --build '$(BUILD)' $(if $(HOURS),--hours $(HOURS))

bench: ## how fast it is, as ratios to yardsticks: BENCH='start_join_64 --rounds 3' for less than all
	@.ci/deps check
	@$(MAKE) --no-print-directory $(JOBS) all tests
	@tests/bench/bench.py --build '$(BUILD)' --json '$(BUILD)/bench.json' $(BENCH)
	@echo
	@tests/bench/report.py '$(BUILD)/bench.json' $(if $(BENCH),,--svg '$(BUILD)/bench.svg')

mutants: ## plant harm into copies of the source and see the tests notice
	@.ci/deps check
	@$(MAKE) --no-print-directory $(JOBS) all tests
	@BUILD='$(BUILD)' tests/mutants/run

schema: ## write sql/schema.sql from the migrations
	@mkdir -p $(BUILD)
	@.ci/schema >$(BUILD)/schema.sql
	@mv $(BUILD)/schema.sql sql/schema.sql

deps: ## install the Debian packages that are missing
	@.ci/deps check

clean: ## remove what was built
	rm -rf build

# ------------------------------------------------------------------------------------- installation

PREFIX   ?= /usr/local
BIN_DIR  ?= $(PREFIX)/bin
MAN_DIR  ?= $(PREFIX)/share/man
DOC_DIR  ?= $(PREFIX)/share/doc/creche
BASH_DIR ?= $(PREFIX)/share/bash-completion/completions
ZSH_DIR  ?= $(PREFIX)/share/zsh/site-functions
FISH_DIR ?= $(PREFIX)/share/fish/vendor_completions.d
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
USER_DIR ?= $(PREFIX)/lib/sysusers.d
TMP_DIR  ?= $(PREFIX)/lib/tmpfiles.d

# The manual is built where it has sources; what lies in $(BUILD)/man is installed.
MANUAL = $(if $(wildcard src/man/*.scd),man)

put       = install -D -m $(1) $(2) $(DESTDIR)$(3)
put_place = sed -e 's|@BINDIR@|$(BIN_DIR)|' -e 's|@DOCDIR@|$(DOC_DIR)|' src/packaging/$(1) >$(BUILD)/$(1) && \
	$(call put,0644,$(BUILD)/$(1),$(2)/$(1))

install: all $(MANUAL) ## install beneath DESTDIR= and PREFIX=/usr/local: programs, service, completions, documents
	$(foreach p,creche-init creched creche,$(call put,0755,$(BUILD)/$(p),$(BIN_DIR)/$(p)) && ) :
	$(call put_place,creche.service,$(UNIT_DIR))
	$(call put_place,hardened.conf,$(DOC_DIR))
	$(call put,0644,src/packaging/creche.sysusers,$(USER_DIR)/creche.conf)
	$(call put,0644,src/packaging/creche.tmpfiles,$(TMP_DIR)/creche.conf)
	$(BUILD)/creche completion bash >$(BUILD)/completion && $(call put,0644,$(BUILD)/completion,$(BASH_DIR)/creche)
	$(BUILD)/creche completion zsh >$(BUILD)/completion && $(call put,0644,$(BUILD)/completion,$(ZSH_DIR)/_creche)
	$(BUILD)/creche completion fish >$(BUILD)/completion && $(call put,0644,$(BUILD)/completion,$(FISH_DIR)/creche.fish)
	$(foreach d,README.md SECURITY.md NOTICE api/openapi.json sql/schema.sql,$(call put,0644,$(d),$(DOC_DIR)/$(notdir $(d))) && ) :
	$(foreach d,$(wildcard api/examples/*),$(call put,$(if $(filter %.md,$(d)),0644,0755),$(d),$(DOC_DIR)/examples/$(notdir $(d))) && ) :
	for page in $(BUILD)/man/*.[1-8]; do [ ! -e "$$page" ] || \
		$(call put,0644,"$$page",$(MAN_DIR)/"man$${page##*.}/$${page##*/}") || exit 1; done

# What would be installed is what goes.
uninstall: ## remove what make install with the same DESTDIR= and PREFIX= has installed
	@rm -rf $(BUILD)/stage
	@$(MAKE) --no-print-directory install DESTDIR=$(abspath $(BUILD))/stage >/dev/null
	@(cd $(BUILD)/stage && find . -type f) | sed 's|^\.||' | while read -r f; do rm -fv "$(DESTDIR)$$f"; done
	@rmdir $(DESTDIR)$(DOC_DIR)/examples $(DESTDIR)$(DOC_DIR)
	@rm -rf $(BUILD)/stage

# debian/ is not in the top folder: there it would be in the way of those who package Creche for a distribution, and
# make every build of the tree look like one of the package.
DEB_TREE = build/deb/creche-$(VERSION)

deb: ## build the Debian package: build/deb/creche_*.deb
	@.ci/deps deb
	@rm -rf build/deb
	@mkdir -p $(DEB_TREE)/build
	@cp -a Makefile LICENSE NOTICE README.md SECURITY.md src sql api $(DEB_TREE)
	@cp -a src/packaging/debian $(DEB_TREE)/debian
	@[ ! -e build/ui ] || cp -a build/ui $(DEB_TREE)/build/ui
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS="parallel=$$(nproc) $(DEB_BUILD_OPTIONS)" DOCS='$(DOCS)' \
		dpkg-buildpackage --build=binary --no-sign
	@ls build/deb/*.deb

.PHONY: help all man run demo check check-san lint format tests test-unit test-seam test-init test-api test-cli test-contract test-fuzz \
	test-crash model fuzz fuzzers coverage mutants torture bench schema deps clean install uninstall deb test-package FORCE

# The command line has one thread.
SUITES = unit seam $(if $(wildcard tests/init/*),init) $(if $(FUZZ_SRC),fuzz) api $(if $(filter tsan,$(SAN)),,cli) contract $(if $(SAN),,model crash bench)
TEST   = BUILD='$(BUILD)' SAN='$(SAN)' .ci/test

# ------------------------------------------------------------------------------------------- rules

# Objects are made again when the compiler or its flags change, -Werror excepted: it changes nothing.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS)' | cmp -s - $@ || \
		echo '$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS)' >$@

COMPILE = $(CC) $(ALL_CPPFLAGS) $(PKG_CFLAGS) $(ALL_CFLAGS) $(if $(WERROR),-Werror) $(OWN_CFLAGS) -MMD -MP

$(OBJ): $(BUILD)/obj/%.o: %.c $(BUILD)/flags | $(GEN_H)
	@mkdir -p $(@D)
	$(call say,CC)$(COMPILE) -c -o $@ $<

# It runs between vfork and exec, on a borrowed stack in shared memory: nothing may be woven into it,
# and gcov's execve, which would write files there, must not replace the real one.
$(BUILD)/obj/src/start/bootstrap.o $(BUILD)/obj/tests/crash/killpoint.o: OWN_CFLAGS = -fno-sanitize=all -fno-stack-protector -U_FORTIFY_SOURCE \
	-fno-builtin-execve -fno-builtin-fork

# A list of ten thousand takes a third less time.
FAST := src/base/strbuf.c src/base/clock.c src/http/codec_process.c src/model/process.c
$(FAST:%.c=$(BUILD)/obj/%.o): OWN_CFLAGS = $(if $(filter -Os,$(CFLAGS)),-O2)

$(addsuffix .o,$(GEN)) $(BUILD)/gen/assets.o: %.o: %.c $(BUILD)/flags
	$(call say,CC)$(COMPILE) -c -o $@ $<

# The folders are prerequisites so that a file that went away is noticed, too.
$(BUILD)/gen/sql.h $(BUILD)/gen/sql.c &: sql/embed.awk $(MIGRATIONS) $(QUERIES) sql/migrations sql/queries
	@mkdir -p $(@D)
	$(call say,SQL)awk -v h=$(BUILD)/gen/sql.h -v c=$(BUILD)/gen/sql.c -f sql/embed.awk $(MIGRATIONS) $(QUERIES)

# What is in there of the page /docs: full or bare. All variants share what npm brings.
$(BUILD)/docs: FORCE
	@mkdir -p $(@D)
	@docs=$$(src/ui/fetch '$(DOCS)' build/ui) && \
		{ [ "$$docs" = "$$(cat $@ 2>/dev/null)" ] || echo "$$docs" >$@; }

$(BUILD)/gen/assets.c: $(wildcard src/ui/*) api/openapi.json $(BUILD)/docs
	@mkdir -p $(@D)
	$(call say,UI)src/ui/embed $$(cat $(BUILD)/docs) build/ui/node_modules api/openapi.json $@

# The contract as it is, for tests: the programs have it gzipped.
$(BUILD)/gen/openapi.h $(BUILD)/gen/openapi.c &: api/openapi.json
	@mkdir -p $(@D)
	@printf '%s\n' '#pragma once' '#include <stddef.h>' 'extern const unsigned char openapi_json[];' \
		'extern const size_t openapi_json_len;' >$(BUILD)/gen/openapi.h
	@{ echo '#include "openapi.h"'; echo 'const unsigned char openapi_json[] = {'; \
	   od -An -v -tu1 $< | sed 's/ *\([0-9][0-9]*\)/\1,/g'; \
	   echo '};'; echo 'const size_t openapi_json_len = sizeof openapi_json;'; } >$(BUILD)/gen/openapi.c

# It runs here and now, whatever the programs are built for: without sanitizers.
$(BUILD)/gen/generate: api/generate.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -D_GNU_SOURCE -std=gnu17 $(CFLAGS) $(WARN) $(if $(WERROR),-Werror) $(PKG_CFLAGS) -o $@ $< -ljansson

$(BUILD)/gen/routes.h $(BUILD)/gen/routes.c &: api/openapi.json $(BUILD)/gen/generate
	$(call say,API)$(BUILD)/gen/generate $< $(BUILD)/gen/routes.h $(BUILD)/gen/routes.c

$(LIB): $(LIB_OBJ) $(wildcard $(addprefix src/,$(LAYERS)))
	@rm -f $@
	$(call say,AR)$(AR) rcs $@ $(LIB_OBJ)

$(BUILD)/creche-init: $(call obj,$(INIT_SRC) $(POINT_SRC) $(INIT_POINTS) $(EXIT_SRC))
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(INIT_WRAP) $(EXIT_WRAP) -o $@ $^

$(BUILD)/creched: $(call obj,src/creched.c $(EXIT_SRC)) $(LIB)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) $(EXIT_WRAP) -o $@ $^ $(PKG_LIBS)

# The only one that maps libcurl.
$(BUILD)/creche: $(BUILD)/obj/src/creche.o $(LIB)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLI_LIBS)

# ------------------------------------------------------------------------------------------- manual

$(BUILD)/gen/man: $(BUILD)/obj/src/man/generate.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(CLI_LIBS)

$(MAN): $(BUILD)/man/%: src/man/%.scd $(BUILD)/gen/man api/openapi.json src/man/tidy.awk
	$(call say,MAN)mkdir -p $(@D) $(BUILD)/gen/pages && made=$(BUILD)/gen/pages/$* && \
		$(BUILD)/gen/man $< api/openapi.json >$$made.scd && scdoc <$$made.scd >$$made && \
		awk -f src/man/tidy.awk $$made >$@

# ------------------------------------------------------------------------------------------- tests

$(call obj,$(UNIT_SRC) $(SEAM_SRC) $(INIT_TEST) $(FUZZ_SRC) tests/replay.c): ALL_CPPFLAGS += -Itests

LINK_TEST = mkdir -p $(@D) && $(CC) $(ALL_LDFLAGS) $(WRAP) -o $@ $(filter %.o,$^) $(LIB) -lcmocka $(PKG_LIBS)

$(call programs,$(UNIT_SRC)): $(BUILD)/%: $(BUILD)/obj/%.o $(call helpers,$(UNIT_SRC)) $(LIB)
	$(call say,LD)$(LINK_TEST)

$(call programs,$(INIT_TEST)): $(BUILD)/%: $(BUILD)/obj/%.o $(call helpers,$(INIT_TEST)) $(LIB)
	$(call say,LD)$(LINK_TEST)

# With libFuzzer's main(), or with one that only gives it the corpus.
$(FUZZERS): $(BUILD)/%: $(BUILD)/obj/%.o $(if $(FUZZ),,$(BUILD)/obj/tests/replay.o) $(LIB)
	$(call say,LD)$(LINK_TEST) $(if $(FUZZ),-fsanitize=fuzzer)

# Without sanitizers: these run around or inside programs that have them. The witness is static, because it is
# started thousands of times.
$(BUILD)/tests/crash/clock_shim.so: AID_FLAGS = -fPIC -shared
$(BUILD)/tests/crash/witness: AID_FLAGS = -fPIE -static-pie

$(CRASH_AID): $(BUILD)/tests/crash/%: $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -D_GNU_SOURCE -std=gnu17 $(CFLAGS) $(WARN) $(if $(WERROR),-Werror) $(AID_FLAGS) -o $@ $(filter %.c,$^)

$(foreach aid,$(CRASH_AID),$(eval $(aid): $(patsubst $(BUILD)/%,%,$(basename $(aid))).c))

# Yardsticks, and the loader: neither may cost more than it must.
$(BUILD)/tests/bench/nothing: AID_FLAGS = -static -nostdlib -fno-stack-protector
$(BUILD)/tests/bench/waits: AID_FLAGS = -static -nostdlib -fno-stack-protector -DWAITS
$(BUILD)/tests/bench/spawn: AID_FLAGS = -pthread
$(BUILD)/tests/bench/constant: AID_FLAGS = -lmicrohttpd
$(BUILD)/tests/bench/shim.so: AID_FLAGS = -fPIC -shared

$(BENCH_AID): $(BUILD)/tests/bench/%: $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -D_GNU_SOURCE -std=gnu17 $(CFLAGS) -O2 $(WARN) $(if $(WERROR),-Werror) -o $@ $(filter %.c,$^) $(AID_FLAGS)

$(BUILD)/tests/bench/nothing $(BUILD)/tests/bench/waits: tests/bench/nothing.c
$(BUILD)/tests/bench/shim.so: tests/bench/shim.c
$(BUILD)/tests/bench/spawn: tests/bench/spawn.c tests/bench/bench.h
$(BUILD)/tests/bench/constant: tests/bench/constant.c tests/bench/bench.h
$(BUILD)/tests/bench/load: tests/bench/load.c tests/bench/http.c tests/bench/http.h tests/bench/bench.h

# Every call of a sys_NAME() of base/sys.h goes to __wrap_sys_NAME() of tests/seam instead.
WRAP_ALL = -Wl,--wrap=pthread_create -Wl,--wrap=pthread_cond_signal $(shell awk '/^[a-z]/ && !/^static/ && match($$0, /sys_[a-z0-9_]+[()]/) \
	{ print "-Wl,--wrap=" substr($$0, RSTART, RLENGTH - 1) }' src/base/sys.h)

$(call programs,$(SEAM_SRC)): WRAP = $(WRAP_ALL)
$(call programs,$(SEAM_SRC)): $(BUILD)/%: $(BUILD)/obj/%.o $(call helpers,$(SEAM_SRC)) $(LIB) src/base/sys.h
	$(call say,LD)$(LINK_TEST)

-include $(OBJ:.o=.d) $(addsuffix .d,$(GEN)) $(BUILD)/gen/assets.d
