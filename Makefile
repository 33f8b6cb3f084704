# SPDX-License-Identifier: GPL-2.0
#
# What a person types. `make help` lists it; what the kernel build reads is in
# Kbuild, and how the environment is made is in qemu/.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := modules
MAKEFLAGS += --no-print-directory

ENV := qemu/env --kernel $(or $(KERNEL),stock)
RUN := qemu/run --kernel $(or $(KERNEL),stock)

# Where modules are built. By default in the build root, against the kernel
# that the virtual machine boots; KDIR= names a tree of your own, which is then
# used with this machine's tools (LLVM=1 and the like go with it).
ifdef KDIR
KBUILD = $(MAKE) -C $(KDIR) M=$(CURDIR)
IN_ROOT :=
READY :=
CHECKED := check-kdir
else
# Another kernel than the stock one has a copy of the sources, in the cache.
BUILT = $$($(ENV) path built)
KBUILD = $(IN_ROOT) make -j$$(nproc) -C $$($(ENV) path kdir) M=$(BUILT) \
	$$($(ENV) path make_args) $(KBUILD_ARGS)
# The job server of the make outside does not reach inside.
IN_ROOT = env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS \
	$(ENV) exec $(if $(INSTALL_MOD_PATH),--bind='$(abspath $(INSTALL_MOD_PATH))') --
READY := $(if $(filter-out stock,$(KERNEL)),copy,setup)
# Variables of the command line that the kernel build knows.
KBUILD_ARGS = $(foreach v,V W C CF CLIPPY KCFLAGS KRUSTFLAGS INSTALL_MOD_DIR \
	INSTALL_MOD_STRIP,$(if $($(v)),$(v)='$($(v))')) \
	$(if $(INSTALL_MOD_PATH),INSTALL_MOD_PATH='$(abspath $(INSTALL_MOD_PATH))')
endif

##@ Setting up

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z_-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@printf '\n'; printf '%s\n' 'KDIR=TREE builds against your own kernel tree with this machine'\''s tools;' \
		'V=1 shows commands; CLIPPY=1 runs clippy. KERNEL=debug: with a kernel that watches' \
		'itself, built here once. See README.md and qemu/README.md.'

.PHONY: doctor
doctor: ## say what this machine lacks and what the cache holds
	@$(ENV) doctor

.PHONY: setup
setup: ## make the environment: build root, kernel, guest image (minutes, once)
	@$(ENV) setup

##@ Building

.PHONY: modules
modules: $(READY) $(CHECKED) ## build the modules
	@$(KBUILD) modules

# One line for each thing that is missing, before the compiler says it in hundreds.
.PHONY: check-kdir
check-kdir:
	@tools/packaging/check-kdir '$(KDIR)'

# What was changed; what was built of the rest is up to date.
.PHONY: copy
copy: setup
	@mkdir -p "$(BUILT)" && pwd >"$(BUILT)/.checkout"
	@tools/checks/files.py | $(ENV) exec -- rsync --checksum --links --perms --from0 --files-from=- ./ "$(BUILT)/"

.PHONY: modules_install
modules_install: $(READY) ## install them (INSTALL_MOD_PATH= as usual)
ifndef KDIR
	@if [ -z "$(INSTALL_MOD_PATH)" ]; then \
		echo 'These modules are for the kernel of the virtual machine: say where to' \
			'put them with INSTALL_MOD_PATH=DIR, or for which kernel with KDIR=TREE.' >&2; \
		exit 2; \
	fi
	@mkdir -p '$(INSTALL_MOD_PATH)'
	@# The key that it could be signed with is the distribution's.
	@$(KBUILD) CONFIG_MODULE_SIG_ALL= modules_install
else
	@# Its key is where the kernel was built, not in a package of headers.
	@$(KBUILD) $(if $(wildcard $(KDIR)/certs/signing_key.x509),,CONFIG_MODULE_SIG_ALL=) modules_install
endif

.PHONY: rust-analyzer
rust-analyzer: $(READY) $(CHECKED) ## write rust-project.json for an editor
	@$(KBUILD) rust-analyzer
ifndef KDIR
	@# The compiler's own sources are in the build root.
	@sed -i "s#\"/usr/#\"$$($(ENV) path root)/usr/#g" "$(BUILT)/rust-project.json"
endif

.PHONY: rustdoc
rustdoc: $(READY) $(CHECKED) ## HTML of all crates, in build/rustdoc
	@rm -rf build/rustdoc && mkdir -p build/rustdoc
	@$(IN_ROOT) tools/rustdoc/user-space build/rustdoc
	@$(KBUILD) RUSTDOC_TO='$(CURDIR)/build/rustdoc' modules
	@tools/rustdoc/srctree.py build/rustdoc "$(or $(KDIR),$$($(ENV) path kdir))"
	@tools/rustdoc/index.py build/rustdoc
	@tools/rustdoc/links.py build/rustdoc
	@echo build/rustdoc/index.html

.PHONY: clean
clean: ## remove what was built in this checkout
	@if [ -n "$(KDIR)" ] || { [ -e "$$($(ENV) path kdir)/Makefile" ] && [ -e "$(BUILT)/Kbuild" ]; }; \
		then $(KBUILD) clean; fi

.PHONY: distclean
distclean: clean ## also drop the cache: kernel, build root, guest image, targets
	@$(ENV) clean

.PHONY: tools
tools: setup ## build wac and the benchmarks, for the virtual machine
	@env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS $(ENV) exec -- \
		cargo build --quiet --release --locked --package wac --package bench-strategies \
		--package bench-device --package survey --package survey-page

##@ Packaging

.PHONY: dist
dist: ## what is committed as a tarball, in build/dist
	@tools/packaging/dist build/dist

##@ Using

.PHONY: shell
shell: modules ## a shell in the virtual machine, with the modules (OUT=DIR at /out)
	@$(RUN) --interactive $(if $(OUT),--out "$(OUT)")

.PHONY: demo
demo: modules tools ## from nothing to a verdict: pages proved stable, and caught changing
	@tools/testing/demo/run --kernel $(or $(KERNEL),stock)

.PHONY: survey
survey: modules tools ## who keeps pages stable: a table, JSON and a page (ONLY="ext4 xfs:mmap", APP=, SUBJECTS=DIR, ARGS=--quick)
	@tools/testing/survey/run --kernel $(or $(KERNEL),stock) $(foreach o,$(ONLY),--only $(o)) \
		$(if $(value APP),--app '$(subst ','\'',$(value APP))') $(ARGS)

##@ Testing

.PHONY: check
check: modules tools ## all tests, on the host and in the virtual machine
	@tools/testing/check --kernel $(or $(KERNEL),stock)

.PHONY: check-host
check-host: setup ## only those that need no virtual machine
	@tools/testing/check --kernel $(or $(KERNEL),stock) --host

.PHONY: check-page
check-page: setup ## the page of a survey in a headless Chromium (PICTURES=DIR, CHROMIUM=PROGRAM)
	@tools/testing/survey-page/run $(PICTURES)

.PHONY: selftests
selftests: modules tools ## only those in the virtual machine (TESTS="params.sh ..." for some)
	@tools/testing/run-selftests --kernel $(or $(KERNEL),stock) \
		$(foreach t,$(TESTS),-t stable_pages:$(t))

.PHONY: xfstests
xfstests: $(if $(XFSTESTS),modules) ## a built XFSTESTS=TREE on stablefs (TESTS="-g quick", ARGS="--block 1024")
	@[ -n "$(XFSTESTS)" ] || { echo 'Say where the tree is: XFSTESTS=TREE' >&2; exit 2; }
	@tools/testing/xfstests/run --kernel $(or $(KERNEL),stock) $(ARGS) "$(XFSTESTS)" $(or $(TESTS),-g quick)

.PHONY: blktests
blktests: $(if $(BLKTESTS),modules) ## a built BLKTESTS=TREE on dif_blk (TESTS="003 043", ARGS="--pi dix")
	@[ -n "$(BLKTESTS)" ] || { echo 'Say where the tree is: BLKTESTS=TREE' >&2; exit 2; }
	@tools/testing/blktests/run --kernel $(or $(KERNEL),stock) $(ARGS) "$(BLKTESTS)" $(TESTS)

.PHONY: fsx
fsx: modules ## random operations on stablefs, ten minutes for each strategy (SECONDS=, STRATEGIES=)
	@for stable in $(or $(STRATEGIES),wait); do \
		tools/testing/fsx/run --kernel $(or $(KERNEL),stock) --stable $$stable \
			$(or $(SECONDS),600) || exit; \
	done

.PHONY: bench-strategies
bench-strategies: modules tools ## what keeping pages stable costs: a table, JSON and a picture (ARGS=)
	@mkdir -p build/bench && rm -f build/bench/strategies.*
	@status=0; \
	$(RUN) --icount --mem 4096M --timeout 36000 --out build/bench --log build/bench/kernel.log -- \
		bench-strategies run --json /out/strategies.json $(ARGS) || status=$$?; \
	if [ -f build/bench/strategies.json ]; then \
		$(ENV) exec -- "$$($(ENV) path target)/release/bench-strategies" plot \
			build/bench/strategies.json build/bench/strategies.svg && \
		echo 'build/bench/strategies.json, build/bench/strategies.svg' || status=1; \
	fi; \
	exit $$status

.PHONY: bench-device
bench-device: modules tools ## dif_blk beside brd, null_blk and scsi_debug: a table and JSON (ARGS=)
	@mkdir -p build/bench
	@$(RUN) --icount --mem 4096M --timeout 7200 --out build/bench --log build/bench/kernel.log -- \
		bench-device run --json /out/device.json $(ARGS)

.PHONY: record-traces
record-traces: modules tools ## record the traces that rust/stability is tested with
	@mkdir -p rust/stability/traces
	@$(RUN) --out rust/stability/traces -- tools/bench/record /out

.PHONY: soak
soak: modules tools ## wac's six profiles, two minutes each (SECONDS_EACH=, STRATEGIES=, WINDOWS=, BLOCKS=, TESTS=)
	@STABLE_PAGES_WAC_SECONDS=$(or $(SECONDS_EACH),120) STABLE_PAGES_WAC_SIZES="64k 64m" \
		STABLE_PAGES_STRATEGIES="$(or $(STRATEGIES),wait)" STABLE_PAGES_WINDOWS="$(or $(WINDOWS),2000)" \
		STABLE_PAGES_BLOCKS="$(or $(BLOCKS),1024 4096)" STABLE_PAGES_DAMAGE=500 SELFTESTS_TIMEOUT=36000 \
		tools/testing/run-selftests --kernel $(or $(KERNEL),stock) --dir build/soak -o 36000 \
		$(foreach t,$(or $(TESTS),wac_stable.sh stablefs_strategies.sh),-t stable_pages:$(t))
