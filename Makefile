# The whole vocabulary of this source tree; `make help` prints it. Everything is
# built into build/, where also the R packages that a target needs are
# installed (build/lib); a target installs what it needs by itself, once.
#
#   FILTER=name  run only the test files that match (test, asan, valgrind)
#   ISOLATED=1   hide the R packages of this machine: as on a fresh one

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BUILD := build
ifdef ISOLATED
BUILD := build/isolated
EMPTY := $(CURDIR)/$(BUILD)/empty
export R_LIBS_SITE := $(EMPTY)
export R_LIBS_USER := $(EMPTY)
endif
LIB := $(CURDIR)/$(BUILD)/lib
export R_LIBS := $(LIB)
# R drops a library that does not exist, and falls back on its own.
$(shell mkdir -p $(LIB) $(BUILD)/stamps $(EMPTY))

# The directories are there for the files that are removed from them.
SOURCES := $(wildcard DESCRIPTION NAMESPACE LICENSE NEWS.md configure cleanup \
  R R/* man man/* src src/*.[ch] src/Makevars*) \
  $(if $(wildcard inst),$(shell find inst))
NEEDS := package test demo doc site check lint format valgrind bench

.PHONY: help deps install demo test ctest fuzz asan valgrind gctorture torture soak \
  lint format format-check doc doc-check site check bench clean

help:
	@sed -nE 's/^# (make .*)/\1/p' Makefile

# make deps          install everything that any target needs
deps: $(NEEDS:%=$(BUILD)/stamps/deps-%)

# make install       the package into build/lib
install: $(BUILD)/stamps/install

# make demo          real files through the pool; a job that outlives its session
demo: install $(BUILD)/stamps/deps-demo
	tools/with-azurite.sh $(BUILD) Rscript tools/demo.R
	tools/with-azurite.sh $(BUILD) Rscript tools/demo-jobs.R

# make test          the test suite, beside storage services
test: install $(BUILD)/stamps/deps-test
	FILTER='$(FILTER)' tools/with-azurite.sh $(BUILD) Rscript tools/test.R

# make ctest         the tests of the C core, under the sanitizers
ctest: $(BUILD)/stamps/deps-package
	tools/ctest.sh $(BUILD)

# make fuzz          the core against peers gone wrong, under the sanitizers
# INPUTS=n: so many instead of ten million, some minutes; SEED=n: those again;
# TARGET=name: of one target.
fuzz: $(BUILD)/stamps/deps-package
	INPUTS='$(INPUTS)' SEED='$(SEED)' TARGET='$(TARGET)' \
	  tools/fuzz.sh $(BUILD)

# make asan          the test suite with the package under the sanitizers
asan: $(BUILD)/stamps/install-asan $(BUILD)/stamps/deps-test
	FILTER='$(FILTER)' tools/with-azurite.sh $(BUILD) tools/asan.sh $(BUILD)

# make valgrind      tests/valgrind.R under valgrind; FILTER=. the test suite (hours)
valgrind: install $(BUILD)/stamps/deps-test $(BUILD)/stamps/deps-valgrind
	tools/valgrind.sh $(BUILD) '$(FILTER)'

# make gctorture     tests/gctorture.R: a garbage collection at every allocation
gctorture: install $(BUILD)/stamps/deps-test
	Rscript tests/gctorture.R

# make torture       kills, interrupts and cycles by the thousand: half an hour
# KILLS, INTERRUPTS, CALLS: so many of each; SEED: of what is random.
KILLS := 10000
INTERRUPTS := 1000
CALLS := 1000000
torture: install
	Rscript tests/torture/kills.R $(KILLS) $(or $(SEED),1)
	Rscript tests/torture/interrupts.R $(INTERRUPTS) $(or $(SEED),1)
	Rscript tests/torture/cycles.R $(CALLS) $(or $(SEED),1) $(BUILD)/torture.png

# make soak          jobs through 200 deaths of all that work on them: half an hour
# SOAK=n: so many; in a storage account a fourth of that.
SOAK := 200
soak: install $(BUILD)/stamps/deps-test
	SOAK=$(SOAK) FILTER=job-deaths tools/with-azurite.sh $(BUILD) \
	  Rscript tools/test.R

# make lint          layers, compiler warnings, and the linters of C, shell and R
lint: install $(BUILD)/stamps/deps-lint $(BUILD)/stamps/deps-test
	tools/lint.sh $(BUILD)

# make format        lay out the C sources
format: $(BUILD)/stamps/deps-format
	clang-format -i $(wildcard src/*.[ch] tests/c/*.[ch] tests/fuzz/*.[ch])

# make format-check  are they laid out so?
format-check: $(BUILD)/stamps/deps-format
	clang-format --dry-run -Werror $(wildcard src/*.[ch] tests/c/*.[ch] tests/fuzz/*.[ch])

# make doc           man/ and NAMESPACE from the comments in R/
doc: $(BUILD)/stamps/deps-doc
	Rscript tools/doc.R

# make doc-check     are they what the comments make?
# Links between pages are looked up in the installed package.
doc-check: install $(BUILD)/stamps/deps-doc
	tools/doc-check.sh $(BUILD)

# make site          the site, into build/site: no page loads anything from elsewhere
site: install $(BUILD)/stamps/deps-site
	tools/with-azurite.sh $(BUILD) tools/site.sh $(BUILD)

# make check         R CMD check --as-cran, without an error or a warning
# Beside storage services, which a vignette is built on.
check: $(BUILD)/stamps/deps-test $(BUILD)/stamps/deps-check
	tools/with-azurite.sh $(BUILD) tools/check.sh $(BUILD)

# make bench         the benchmarks, beside the peers that install here: bench/README.md
# ROUNDS=n: so many rounds of each, instead of its own number.
BENCHMARKS := startup overhead throughput transfer memory tail workers storage client jobs jobs-account
bench: install $(BUILD)/stamps/deps-bench $(BUILD)/bench/limits
	export BENCH_OUT=$(CURDIR)/$(BUILD)/bench; \
	export AZURITE_PROGRAMS=$(CURDIR)/$(BUILD)/azurite/node_modules/.bin; \
	for name in $(BENCHMARKS); do \
	  printf '== %s\n' "$$name"; Rscript "bench/$$name.R" $(ROUNDS); \
	done; \
	Rscript bench/report.R

# The machine's own figures; where this does not compile they have no rows.
$(BUILD)/bench/limits: bench/limits.c | $(BUILD)/stamps/deps-package
	mkdir -p $(@D)
	gcc -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wconversion -o $@ $< || true

# make clean         remove build/
clean:
	rm -rf build

$(BUILD)/stamps/deps-%: tools/deps.sh tools/deps.R $(wildcard DESCRIPTION)
	tools/deps.sh $(BUILD) $*
	touch $@

$(BUILD)/stamps/install: $(BUILD)/stamps/deps-package tools/install.sh $(SOURCES)
	tools/install.sh $(BUILD) $(LIB)
	touch $@

# R by itself cannot load what it has installed so: no test of that.
$(BUILD)/stamps/install-asan: $(BUILD)/stamps/deps-package tools/install.sh \
  tools/asan.mk $(SOURCES)
	R_MAKEVARS_USER=$(CURDIR)/tools/asan.mk \
	  tools/install.sh $(BUILD)/asan $(BUILD)/asan/lib --no-test-load
	touch $@
