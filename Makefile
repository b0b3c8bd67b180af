# dp: build, test, install.  `make` works in a fresh clone; ./configure only writes config.mk and config.h.
# `make help` lists the targets.

VERSION = 0.1.0
-include config.mk

prefix ?= /usr/local
exec_prefix ?= $(prefix)
bindir ?= $(exec_prefix)/bin
libdir ?= $(exec_prefix)/lib
includedir ?= $(prefix)/include
datarootdir ?= $(prefix)/share
mandir ?= $(datarootdir)/man
bashdir ?= $(datarootdir)/bash-completion/completions
zshdir ?= $(datarootdir)/zsh/site-functions
fishdir ?= $(datarootdir)/fish/vendor_completions.d

CC ?= cc
AR ?= ar
CFLAGS ?= -O2 -g
VARIANT ?= release
O = obj/$(VARIANT)

WARN = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion
ifeq ($(DEV),1)
WARN += -Werror
endif
# The small libraries are linked statically where the archive is there, since start-up is part of the product.
DP_LIBS ?= -l:libzstd.a -l:liblz4.a -l:libz.a -l:libyaml.a -l:libcsv.a -l:libxxhash.a -l:libpcre2-8.a -l:libcrypto.a -lm -ldl -lpthread
CPPFLAGS_DP = -Iinclude -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DDP_VERSION='"$(VERSION)"' \
	-include lib/banned.h $(if $(wildcard config.h),-include config.h)
CFLAGS_DP = -std=c17 -fno-strict-aliasing -ffp-contract=off $(WARN) $(CPPFLAGS_DP) $(CPPFLAGS) $(CFLAGS) $(SAN)

LIB_SRC = $(sort $(wildcard lib/*/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(O)/%.o)
TOOL_SRC = $(sort $(wildcard tools/dp-*.c))
TOOLS = $(TOOL_SRC:tools/%.c=%)
BIN = $(TOOLS:%=$(O)/bin/%)
UNIT_SRC = $(sort $(wildcard tests/unit/t_*.c))
UNIT = $(UNIT_SRC:tests/unit/%.c=$(O)/unit/%)
FUZZ_SRC = $(sort $(wildcard tests/fuzz/fuzz_*.c))
REPLAY = $(FUZZ_SRC:tests/fuzz/%.c=$(O)/fuzz/%)
FUZZ = $(FUZZ_SRC:tests/fuzz/%.c=obj/fuzz/%)
BATS = $(sort $(wildcard tests/cli/*.bats))
MAN1 = $(sort $(wildcard man/*.1))
MAN5 = $(sort $(wildcard man/*.5))
MAN7 = $(sort $(wildcard man/*.7))
SHELL_SRC = dev .ci/run quickstart/run.sh tests/run.sh $(sort $(wildcard tests/*/*.sh tests/*/*/*.sh))
FUZZ_SECONDS ?= 60
# of the targets for Parquet
FUZZ_PQ_SECONDS ?= $(FUZZ_SECONDS)
FUZZ_CFLAGS = -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined

ifneq ($(V),1)
Q = @
endif
say = $(if $(Q),@printf '  %-5s %s\n' $(1) $(2))

all: $(O)/libdp.a $(BIN) ## build the library and the programs

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CFLAGS_DP) -MMD -MP -c -o $@ $<

# the page of a lineage graph, as C strings
PAGE = lib/rules/graph_page
$(O)/gen/graph_page.h: $(PAGE)/embed.awk $(PAGE)/page.html $(PAGE)/page.css $(sort $(wildcard $(PAGE)/*.js))
	@mkdir -p $(@D)
	$(Q)LC_ALL=C awk -f $(PAGE)/embed.awk NAME=graph_page_html $(PAGE)/page.html NAME=graph_page_css $(PAGE)/page.css \
		NAME=graph_page_js $(sort $(wildcard $(PAGE)/*.js)) >$@.tmp && mv $@.tmp $@
$(O)/lib/rules/graph_html.o: CPPFLAGS_DP += -I$(O)/gen
$(O)/lib/rules/graph_html.o: $(O)/gen/graph_page.h

$(O)/libdp.a: $(LIB_OBJ)
	$(call say,AR,$@)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

# a program of many commands has a file for each, in a directory of its name
TABLE_SRC = $(sort $(wildcard tools/table/*.c))
$(O)/bin/dp-table: $(TABLE_SRC:%.c=$(O)/%.o)
LINEAGE_SRC = $(sort $(wildcard tools/lineage/*.c))
$(O)/bin/dp-lineage: $(LINEAGE_SRC:%.c=$(O)/%.o)
MASK_SRC = $(sort $(wildcard tools/mask/*.c))
$(O)/bin/dp-mask: $(MASK_SRC:%.c=$(O)/%.o)
RETAIN_SRC = $(sort $(wildcard tools/retain/*.c))
$(O)/bin/dp-retain: $(RETAIN_SRC:%.c=$(O)/%.o)

$(O)/bin/%: $(O)/tools/%.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $(filter %.o,$^) $(O)/libdp.a $(DP_LIBS)

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $< $(O)/libdp.a -lcmocka $(DP_LIBS)

$(O)/fuzz/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $^ $(DP_LIBS)

$(O)/bench/%: $(O)/tests/bench/%.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $< $(O)/libdp.a $(DP_LIBS)

$(O)/interop/%: $(O)/tests/interop/%.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $< $(O)/libdp.a $(DP_LIBS)

# ---- trying it ----

quickstart: all $(O)/quickstart-gen ## make the sample, run the pipeline over it, show the table
	$(Q)DP_BIN=$(O)/bin DP_GEN=$(O)/quickstart-gen sh quickstart/run.sh

$(O)/quickstart-gen: $(O)/quickstart/gen.o
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $<

# ---- tests ----

.PHONY: all quickstart check check-unit check-cli check-lint check-fuzz check-man check-faults check-arm64 check-interop check-data check-install fuzz bench \
	completions install uninstall dist configure clean help test-programs

test-programs: all $(UNIT) $(REPLAY) $(O)/quickstart-gen

CHECK_UNIT = $(UNIT:%='CMOCKA_MESSAGE_OUTPUT=TAP %')
CHECK_CLI = $(BATS:%='DP_BIN=$(CURDIR)/$(O)/bin bats --tap %')
CHECK_FUZZ = $(foreach f,$(REPLAY),'$(f) tests/fuzz/corpus/$(patsubst fuzz_%,%,$(notdir $(f))) $(call fuzz_seeds,$(notdir $(f)))')
CHECK_LINT = 'sh tests/lint/lint.sh $(O)' 'sh tests/lint/man.sh' 'sh tests/lint/shell.sh $(SHELL_SRC)'
DP_SHARED ?= $(abspath ../shared)
export DP_SHARED
# Seeds of a fuzz target beside its own corpus: conformance files where they are there.
fuzz_seeds = $(if $(findstring pq,$(1)),$(DP_SHARED)/corpus/parquet-bad)$(if $(findstring json,$(1)),$(DP_SHARED)/corpus/json)$(if \
	$(findstring csv,$(1)),$(DP_SHARED)/corpus/csv)$(if $(filter fuzz_yaml fuzz_contract,$(1)),$(DP_SHARED)/corpus/contract/files)

check: test-programs ## all tests that need no network and no other engine
	$(Q)sh tests/run.sh $(O)/check.log $(CHECK_UNIT) $(CHECK_CLI) $(CHECK_FUZZ) $(if $(SAN),,$(CHECK_LINT) 'DP_BIN=$(CURDIR)/$(O)/bin DP_GEN=$(O)/quickstart-gen sh tests/quickstart.sh' 'sh tests/install.sh')

check-unit: $(UNIT) ## the library's tests
	$(Q)sh tests/run.sh $(O)/unit.log $(CHECK_UNIT)

check-cli: all ## the programs' tests
	$(Q)sh tests/run.sh $(O)/cli.log $(CHECK_CLI)

check-fuzz: $(REPLAY) ## replay the fuzz corpora
	$(Q)sh tests/run.sh $(O)/fuzz.log $(CHECK_FUZZ)

check-lint: all ## the rules of the house, the man pages, the scripts
	$(Q)sh tests/run.sh $(O)/lint.log $(CHECK_LINT)

check-faults: all ## stop the programs at every call that changes the disk, fill the disk, eight writers at once
	$(Q)sh tests/run.sh $(O)/faults.log 'DP_BIN=$(CURDIR)/$(O)/bin bash tests/faults/run.sh' \
		'DP_BIN=$(CURDIR)/$(O)/bin bash tests/faults/commands.sh' 'DP_BIN=$(CURDIR)/$(O)/bin bash tests/faults/window.sh' 'DP_BIN=$(CURDIR)/$(O)/bin bash tests/faults/window.sh dedupe' \
		'DP_BIN=$(CURDIR)/$(O)/bin bash tests/faults/audit.sh' 'DP_BIN=$(CURDIR)/$(O)/bin bash tests/faults/torture.sh'

check-arm64: all $(O)/quickstart-gen ## the library's tests and a pipeline on the other architecture, in an emulator
	$(Q)sh tests/run.sh $(O)/arm64.log 'DP_BIN=$(CURDIR)/$(O)/bin DP_GEN=$(O)/quickstart-gen bash tests/arm64/run.sh'

check-interop: all $(O)/quickstart-gen $(O)/interop/matrix $(O)/interop/graph_page ## read our tables with other engines (a pinned Python venv), and compare
	$(Q)sh tests/run.sh $(O)/interop.log 'DP_BIN=$(CURDIR)/$(O)/bin DP_GEN=$(O)/quickstart-gen sh tests/interop/run.sh' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/run.sh evolution' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/run.sh skipping' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/run.sh upkeep' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/run.sh joins' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/run.sh erase' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/run.sh nexmark' \
		'DP_MATRIX=$(O)/interop/matrix sh tests/interop/matrix.sh' \
		$(foreach p,contract gx soda,'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/quality.sh $(p)') \
		'GRAPH_PAGE=$(CURDIR)/$(O)/interop/graph_page sh tests/interop/page.sh' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/schema.sh' \
		'DP_BIN=$(CURDIR)/$(O)/bin sh tests/interop/lineage.sh $(O)/lineage' \
		'DP_BIN=$(CURDIR)/$(O)/bin DP_MATRIX=$(CURDIR)/$(O)/interop/matrix sh tests/interop/spark/run.sh'

# ---- fuzzing: clang's libFuzzer, FUZZ_SECONDS for each target ----

fuzz: ## fuzz every target for FUZZ_SECONDS (60)
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz CC=clang CFLAGS="$(FUZZ_CFLAGS)" $(FUZZ)
	$(Q)RUN_JOBS=$$(nproc) sh tests/run.sh obj/fuzz.log $(foreach f,$(FUZZ),'sh tests/fuzz/fuzz.sh $(f) $(if $(findstring pq,$(f)),$(FUZZ_PQ_SECONDS),$(FUZZ_SECONDS)) $(call fuzz_seeds,$(notdir $(f)))')

obj/fuzz/fuzz_%: obj/fuzz/tests/fuzz/fuzz_%.o obj/fuzz/libdp.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS_DP) -fsanitize=fuzzer,address,undefined -o $@ $^ $(DP_LIBS)

# ---- measuring ----

bench: all $(O)/bench/bench_parquet ## measure against the peers that are there; prints ratios (tests/bench/README.md)
	$(Q)DP_BIN=$(CURDIR)/$(O)/bin sh tests/bench/run.sh

# ---- generated, committed ----

completions: all ## write completions/ anew from the option tables
	$(Q)DP_BIN=$(O)/bin sh completions/gen.sh completions

# ---- installing ----

install: all ## programs, libdp.a, headers, dp.pc, man pages, completions (DESTDIR, prefix)
	install -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(libdir)/pkgconfig' '$(DESTDIR)$(mandir)/man1' '$(DESTDIR)$(mandir)/man5' '$(DESTDIR)$(mandir)/man7' \
		'$(DESTDIR)$(bashdir)' '$(DESTDIR)$(zshdir)' '$(DESTDIR)$(fishdir)'
	install -m 755 $(BIN) '$(DESTDIR)$(bindir)'
	install -m 644 $(O)/libdp.a '$(DESTDIR)$(libdir)'
	for h in $$(find include/dp -name '*.h'); do install -D -m 644 $$h '$(DESTDIR)$(includedir)'/$${h#include/} || exit 1; done
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' -e 's|@includedir@|$(includedir)|' -e 's|@version@|$(VERSION)|' \
		-e 's|@libs@|$(DP_LIBS)|' dp.pc.in >'$(DESTDIR)$(libdir)/pkgconfig/dp.pc'
	install -m 644 $(MAN1) '$(DESTDIR)$(mandir)/man1'
	install -m 644 $(MAN5) '$(DESTDIR)$(mandir)/man5'
	install -m 644 $(MAN7) '$(DESTDIR)$(mandir)/man7'
	for t in $(TOOLS); do install -m 644 completions/bash/$$t '$(DESTDIR)$(bashdir)' && install -m 644 completions/zsh/_$$t '$(DESTDIR)$(zshdir)' && \
		install -m 644 completions/fish/$$t.fish '$(DESTDIR)$(fishdir)' || exit 1; done

uninstall: ## remove what install put there
	rm -f $(TOOLS:%='$(DESTDIR)$(bindir)/%') '$(DESTDIR)$(libdir)/libdp.a' '$(DESTDIR)$(libdir)/pkgconfig/dp.pc'
	rm -rf '$(DESTDIR)$(includedir)/dp'
	rm -f $(MAN1:man/%='$(DESTDIR)$(mandir)/man1/%') $(MAN5:man/%='$(DESTDIR)$(mandir)/man5/%') $(MAN7:man/%='$(DESTDIR)$(mandir)/man7/%')
	rm -f $(TOOLS:%='$(DESTDIR)$(bashdir)/%') $(TOOLS:%='$(DESTDIR)$(zshdir)/_%') $(TOOLS:%='$(DESTDIR)$(fishdir)/%.fish')

configure: configure.ac config.mk.in ## make ./configure (needs autoconf)
	autoheader
	autoconf

dist: configure ## dp-VERSION.tar.gz of what is committed, with ./configure
	rm -rf obj/dist && mkdir -p obj/dist
	git archive --prefix=dp-$(VERSION)/ HEAD | tar -x -C obj/dist
	cp configure config.h.in obj/dist/dp-$(VERSION)/
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="$$(git log -1 --format=%cI)" -C obj/dist -cf - dp-$(VERSION) | gzip -9n >dp-$(VERSION).tar.gz

clean: ## remove what was built
	rm -rf obj

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile

.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(TOOL_SRC:%.c=$(O)/%.d) $(TABLE_SRC:%.c=$(O)/%.d) $(LINEAGE_SRC:%.c=$(O)/%.d) $(RETAIN_SRC:%.c=$(O)/%.d) $(MASK_SRC:%.c=$(O)/%.d) $(UNIT_SRC:%.c=$(O)/%.d) $(FUZZ_SRC:%.c=$(O)/%.d) $(O)/tests/interop/matrix.d $(O)/tests/interop/graph_page.d
