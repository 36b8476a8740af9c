# keelson: build, test, run. `make help` lists the targets.
# Floors are listed once, here: name:height. A floor may include and call only what lies lower; its archive and its
# unit tests link against lower archives only, so an arrow up does not build. tests/lint/includes checks the same.
FLOORS := base:1 http:2 schema:2 patch:3 storage:3 audit:3 cel:4 registry:5 authz:6 flowcontrol:6 controllers:6 \
          admission:7 authn:7 endpoints:8 server:9

V      ?= 0
Q      := $(if $(filter 1,$(V)),,@)
say     = $(if $(filter 1,$(V)),,@printf '  %-8s %s\n' '$(1)' '$(2)')
BUILD  ?= build
CC     ?= cc
OPT    ?= -O2
PREFIX ?= /usr/local
DESTDIR ?=

VERSION  := 0.1.0
PKGS     := libmicrohttpd gnutls jansson libssl libcrypto yaml-0.1 sqlite3 libpcre2-8 zlib libcurl libnghttp2 libsodium
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef \
            -Wno-unused-parameter -Wno-missing-field-initializers $(if $(CI),-Werror)
HARDEN   := -fPIE -fstack-protector-strong $(if $(SANITIZE),,-D_FORTIFY_SOURCE=2)
CPPFLAGS += -Iinclude -Isrc -I$(BUILD)/gen -D_GNU_SOURCE -DKEELSON_VERSION='"$(VERSION)"'
CFLAGS   += -std=gnu17 $(OPT) -g $(WARN) $(HARDEN) $(SANITIZE) -fno-strict-aliasing -pthread
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) -pthread
LDLIBS    = $(shell pkg-config --libs $(PKGS)) -lm

names     := $(foreach f,$(FLOORS),$(firstword $(subst :, ,$(f))))
floors    := $(foreach n,$(names),$(if $(wildcard src/$(n)/*.c src/$(n)/*/*.c),$(n)))
height     = $(lastword $(subst :, ,$(filter $(1):%,$(FLOORS))))
# A floor's archive and those of the lower floors, highest first, as the linker wants them.
lower      = $(foreach f,$(FLOORS),$(if $(filter $(firstword $(subst :, ,$(f))),$(floors)),$(if $(shell [ $(lastword $(subst :, ,$(f))) -lt $(call height,$(1)) ] && echo y),$(firstword $(subst :, ,$(f))))))
reverse    = $(if $(1),$(call reverse,$(wordlist 2,$(words $(1)),$(1))) $(firstword $(1)))
archives   = $(patsubst %,$(BUILD)/lib/%.a,$(1) $(call reverse,$(call lower,$(1))))

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: etcds all run check check-quick bench san tsan fuzz lint fmt install uninstall deps clean help cases unit

all: $(BUILD)/keelson ## Build the server: build/keelson

# --- objects and archives -------------------------------------------------------------------------------------------
$(BUILD)/obj/%.o: src/%.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

define floor_rules
src_$(1)  := $$(filter-out src/schema/compiler/%,$$(wildcard src/$(1)/*.c src/$(1)/*/*.c))
objs_$(1) := $$(patsubst src/%.c,$$(BUILD)/obj/%.o,$$(src_$(1))) $$(if $$(filter schema,$(1)),$$(BUILD)/obj/gen/schema_tables.o) \
                $$(if $$(filter authz,$(1)),$$(BUILD)/obj/gen/bootstrap_policy.o)
$$(BUILD)/lib/$(1).a: $$(objs_$(1))
	$$(call say,AR,$$@)
	$$(Q)mkdir -p $$(@D) && rm -f $$@ && $$(AR) rcs $$@ $$^
.PHONY: floor-$(1) unit-$(1)
floor-$(1): $$(BUILD)/lib/$(1).a
tests_$(1) := $$(patsubst tests/unit/$(1)/test_%.c,$$(BUILD)/unit/$(1)/test_%,$$(wildcard tests/unit/$(1)/test_*.c))
$$(tests_$(1)): $$(BUILD)/unit/$(1)/test_%: tests/unit/$(1)/test_%.c tests/unit/unit.h $$(call archives,$(1))
	$$(call say,UNIT,$$@)
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CPPFLAGS) -Itests/unit $$(CFLAGS) -Wno-missing-prototypes -MMD -MP $$< -o $$@ $$(LDFLAGS) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(shell pkg-config --libs check) $$(LDLIBS)
unit-$(1): $$(tests_$(1))
	$$(Q)tests/run --unit $$(tests_$(1))
endef
$(foreach f,$(floors),$(eval $(call floor_rules,$(f))))
unit_tests := $(foreach f,$(floors),$(tests_$(f)))

$(BUILD)/keelson: $(patsubst %,$(BUILD)/lib/%.a,$(call reverse,$(floors)))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -o $@ -Wl,--whole-archive $(BUILD)/lib/server.a -Wl,--no-whole-archive -Wl,--start-group $^ -Wl,--end-group $(LDFLAGS) $(LDLIBS)

# --- the schema compiler and its tables ------------------------------------------------------------------------------
schema_files := $(wildcard src/api/*/*.schema src/api/*/*/*.schema)
$(BUILD)/tools/schemac: $(wildcard src/schema/compiler/*.c src/schema/compiler/*.h) include/schema.h src/schema/name_hash.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(filter %.c,$^) -o $@ $(LDFLAGS)
$(BUILD)/gen/schema_tables.c: $(BUILD)/tools/schemac $(schema_files)
	$(call say,SCHEMA,$@)
	$(Q)mkdir -p $(@D)
	$(Q)ASAN_OPTIONS=detect_leaks=0 $(BUILD)/tools/schemac -o $@ $(schema_files)
$(BUILD)/obj/gen/schema_tables.o: $(BUILD)/gen/schema_tables.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -g0 -MMD -MP -c $< -o $@

# Data in text form, as one string for the compiler.
$(BUILD)/gen/bootstrap_policy.c: src/authz/policy/bootstrap.txt
	$(call say,TEXT,$@)
	$(Q)mkdir -p $(@D)
	$(Q){ echo '#include "authz/bootstrap.h"'; echo 'const char bootstrap_policy[] ='; \
	  sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $<; echo ';'; } > $@
$(BUILD)/obj/gen/bootstrap_policy.o: $(BUILD)/gen/bootstrap_policy.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# --- tests ------------------------------------------------------------------------------------------------------------
unit: $(unit_tests)
	$(Q)tests/run --unit $(unit_tests)

check: deps ## Install what is needed, build, run all tests
	$(Q)$(MAKE) --no-print-directory all unit_programs fuzz_programs
	$(Q)BUILD=$(BUILD) tests/run $(unit_tests)
.PHONY: unit_programs
unit_programs: $(unit_tests)

etcds: all $(BUILD)/unit/storage/test_etcd ## Run the tests over etcd with newer versions of it (built first: minutes), alone and as a cluster of three
	$(Q)BUILD=$(BUILD) tests/etcd_versions

cases: $(BUILD)/keelson ## Run the recorded behaviours on a fresh server and count them by area
	$(Q)BUILD=$(BUILD) tests/integration/cases --all

fuzz_src := $(wildcard tests/fuzz/fuzz_*.c)
fuzz_bin := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(fuzz_src))
# Each target as a plain program too: it replays the corpus (make check); `make fuzz` builds them for libFuzzer.
$(fuzz_bin): $(BUILD)/fuzz/%: tests/fuzz/%.c tests/fuzz/replay.c $(patsubst %,$(BUILD)/lib/%.a,$(call reverse,$(filter-out server,$(floors))))
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes -MMD -MP $(filter %.c,$^) -o $@ $(LDFLAGS) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)
.PHONY: fuzz_programs
fuzz_programs: $(fuzz_bin)
FUZZ_SECONDS ?= 60
fuzz: ## Fuzz every parser with libFuzzer, FUZZ_SECONDS each (needs clang)
	$(Q)tests/fuzz/run $(FUZZ_SECONDS)

$(BUILD)/bench/bench_%: tests/bench/bench_%.c tests/bench/micro.h $(patsubst %,$(BUILD)/lib/%.a,$(call reverse,$(filter-out server,$(floors))))
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -Wno-missing-prototypes $< -o $@ $(LDFLAGS) -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LDLIBS)

bench: all $(patsubst %,$(BUILD)/bench/bench_%,json default validate authz authn admission) ## Print the CPU per operation of the benchmarks; SCALE=1: of a store of 40,000 pods, WATCHERS=1: of 10,000 watchers
	$(Q)BUILD=$(BUILD) SCALE=$(or $(SCALE),0) WATCHERS=$(or $(WATCHERS),0) tests/bench/run
	$(Q)$(BUILD)/bench/bench_json
	$(Q)$(BUILD)/bench/bench_default
	$(Q)$(BUILD)/bench/bench_validate
	$(Q)$(BUILD)/bench/bench_authz
	$(Q)$(BUILD)/bench/bench_authn
	$(Q)$(BUILD)/bench/bench_admission

san: ## Build and run all tests under ASan and UBSan, in build/san
	$(Q)ulimit -s 65536; $(MAKE) --no-print-directory BUILD=build/san OPT=-O1 SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DKS_ARENA_MALLOC' check
tsan: ## Build and run all tests under TSan, in build/tsan
	$(Q)$(MAKE) --no-print-directory BUILD=build/tsan OPT=-O1 SANITIZE='-fsanitize=thread -fno-omit-frame-pointer' check

# --- everything else ---------------------------------------------------------------------------------------------------
run: deps ## Install what is missing, build, start a usable server (data in ./data)
	$(Q)$(MAKE) --no-print-directory all
	$(Q)exec $(BUILD)/keelson --data-dir=data $(ARGS)

deps: ## Install what is missing from Debian's packages
	$(Q)tests/deps

lint: $(BUILD)/compile_commands.json ## Floors, circles, banned functions, clang-tidy, cppcheck
	$(Q)BUILD=$(BUILD) FLOORS='$(FLOORS)' tests/lint/run

$(BUILD)/compile_commands.json: Makefile $(foreach f,$(floors),$(src_$(f)))
	$(Q)mkdir -p $(@D)
	$(Q)for f in $(foreach f,$(floors),$(src_$(f))); do \
	  printf '{"directory":"%s","file":"%s","command":"clang %s -c %s"},\n' "$$PWD" "$$f" '$(subst ",\",$(subst ','\'',$(CPPFLAGS) -std=gnu17 $(WARN)))' "$$f"; \
	done | sed '1s/^/[/; $$s/,$$/]/' > $@
	$(Q)ln -sf $@ compile_commands.json

fmt: ## Format all C
	$(Q)find src include tests -name '*.[ch]' | xargs clang-format -i

install: all ## Install into DESTDIR/PREFIX
	$(Q)install -Dm755 $(BUILD)/keelson $(DESTDIR)$(PREFIX)/bin/keelson
	$(Q)install -Dm644 config/keelson.yaml $(DESTDIR)$(PREFIX)/share/doc/keelson/keelson.yaml
	$(Q)install -Dm644 config/keelson.service $(DESTDIR)$(PREFIX)/lib/systemd/system/keelson.service
uninstall: ## Remove what install put there
	$(Q)rm -f $(DESTDIR)$(PREFIX)/bin/keelson $(DESTDIR)$(PREFIX)/lib/systemd/system/keelson.service
	$(Q)rm -rf $(DESTDIR)$(PREFIX)/share/doc/keelson

clean: ## Remove what was built
	$(Q)rm -rf build compile_commands.json

# One line name:height per floor, for the scripts.
.PHONY: print-floors
print-floors:
	@printf '%s\n' $(FLOORS)

help: ## List the targets
	$(Q)sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
