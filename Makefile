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

.PHONY: all library demo stage bench reference install uninstall clean

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

# QUICK=1, FILTER=text, RUNS=n, OURS=file: see benches/run.sh.
bench: reference $(if $(OURS),,library)
	@benches/run.sh

install: $(LIBRARY)
	@scripts/install.sh install
	@echo "installed under $(DESTDIR)$(PREFIX)"

uninstall:
	@scripts/install.sh uninstall

clean:
	$(CARGO) clean
