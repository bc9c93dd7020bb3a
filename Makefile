# make          the library, optimised          make demo     upstream's programs and our examples on it
# make test     every test, ours and upstream's make check    format, lints, header, layers, docs
# make bench    against the reference library   make install  DESTDIR= PREFIX=/usr/local
#
# Nothing but a Rust toolchain has to be there beforehand: scripts/deps.sh installs what else a target needs.

CARGO ?= cargo
PREFIX ?= /usr/local
export PREFIX DESTDIR LIBDIR INCLUDEDIR
LIBRARY = target/release/libzmq.so
STAGE = $(CURDIR)/target/stage

.PHONY: all library demo stage test test-vm check bench compat-reference matrix readme reference install uninstall clean

all: library

# Cargo knows best what is stale.
library:
	@scripts/deps.sh build
	$(CARGO) build --release

# Only when there is none yet, so that `make && sudo make install` doesn't need root to have a toolchain.
$(LIBRARY):
	@$(MAKE) library

reference:
	@scripts/deps.sh upstream
	@scripts/reference.sh

stage: library
	@DESTDIR= PREFIX=$(STAGE) LIBDIR= INCLUDEDIR= scripts/install.sh install

demo: stage reference
	@scripts/deps.sh c
	@scripts/demo.sh

test: library
	@scripts/deps.sh c upstream peers proxies kerberos network browser
	@scripts/test.sh

# What needs a kernel with TIPC and AF_VSOCK's loopback, in an emulated machine that has one.
test-vm: library
	@scripts/deps.sh c upstream vm
	@scripts/test-vm.sh

# The documentation is that for contributors, with private items, so links to them lead somewhere.
check:
	@scripts/deps.sh build
	$(CARGO) fmt --check
	$(CARGO) clippy --all-targets -- -D warnings
	$(CARGO) fmt --check --manifest-path compat-tests/Cargo.toml
	$(CARGO) clippy --manifest-path compat-tests/Cargo.toml --all-targets -- -D warnings
	$(CARGO) test --quiet --test header_fresh --test layers
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --no-deps --document-private-items

# Upstream's tests on upstream's library, beside ours: the report with both columns.
compat-reference: library
	@scripts/deps.sh c upstream
	$(CARGO) run --manifest-path compat-tests/Cargo.toml -- both

# docs/compatibility.md: what this library has of zmq.h, and Debian's, and upstream's, each asked for everything.
matrix: library
	@scripts/deps.sh c upstream
	$(CARGO) run --manifest-path compat-tests/Cargo.toml -- matrix
	@scripts/readme.sh

# What README.md and docs/compatibility.md say about what works, from the last `make test` or `make compat-reference`.
readme:
	@scripts/readme.sh

# QUICK=1, FILTER=text, RUNS=n, OURS=file: see benches/run.sh.
bench: reference $(if $(OURS),,library)
	@scripts/deps.sh network
	@benches/run.sh

install: $(LIBRARY)
	@scripts/install.sh install
	@echo "installed under $(DESTDIR)$(PREFIX)"

uninstall:
	@scripts/install.sh uninstall

clean:
	$(CARGO) clean

# make loom, asan, tsan, valgrind, miri.
include checks.mk
