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
DP_LIBS ?= -l:libzstd.a -l:liblz4.a -l:libz.a -l:libyaml.a -l:libcsv.a -l:libxxhash.a -l:libpcre2-8.a -lm -ldl -lpthread
CPPFLAGS_DP = -Iinclude -I$(O) -D_POSIX_C_SOURCE=200809L -D_DEFAULT_SOURCE -DDP_VERSION='"$(VERSION)"' $(DP_CPPFLAGS)
CFLAGS_DP = -std=c17 -fno-strict-aliasing -ffp-contract=off $(WARN) $(CPPFLAGS_DP) $(CPPFLAGS) $(CFLAGS) $(SAN)

LIB_SRC = $(sort $(wildcard lib/*/*.c))
LIB_OBJ = $(LIB_SRC:%.c=$(O)/%.o)
TOOL_SRC = $(sort $(wildcard tools/dp-*.c))
TOOLS = $(TOOL_SRC:tools/%.c=%)
BIN = $(TOOLS:%=$(O)/bin/%)
UNIT_SRC = $(sort $(wildcard tests/unit/t_*.c))
UNIT = $(UNIT_SRC:tests/unit/%.c=$(O)/unit/%)

ifneq ($(V),1)
Q = @
endif

all: $(O)/libdp.a $(BIN)

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(Q),@echo "  CC   $<")
	$(Q)$(CC) $(CFLAGS_DP) -MMD -MP -c -o $@ $<

$(O)/libdp.a: $(LIB_OBJ)
	$(if $(Q),@echo "  AR   $@")
	@rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

$(O)/bin/%: $(O)/tools/%.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(if $(Q),@echo "  LD   $@")
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $< $(O)/libdp.a $(DP_LIBS)

$(O)/unit/%: $(O)/tests/unit/%.o $(O)/libdp.a
	@mkdir -p $(@D)
	$(if $(Q),@echo "  LD   $@")
	$(Q)$(CC) $(CFLAGS_DP) $(LDFLAGS) -o $@ $< $(O)/libdp.a -lcmocka $(DP_LIBS)

unit: $(UNIT)
	@st=0; for t in $(UNIT); do $$t || st=1; done; exit $$st

clean:
	rm -rf obj

.PHONY: all unit clean
.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(TOOL_SRC:%.c=$(O)/%.d) $(UNIT_SRC:%.c=$(O)/%.d)
