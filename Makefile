# make          the library, optimised          make demo     upstream's programs and our examples on it
# make test     every test, ours and upstream's make check    format, lints, header, layers, docs
# make bench    against the reference library   make install  DESTDIR= PREFIX=/usr/local
#
# Nothing but a Rust toolchain has to be there beforehand: scripts/deps.sh installs what else a target needs.

CARGO ?= cargo
LIBRARY = target/release/libzmq.so

.PHONY: all library bench reference clean

all: library

# Cargo knows best what is stale.
library:
	@scripts/deps.sh build
	$(CARGO) build --release

reference:
	@scripts/deps.sh upstream
	@scripts/reference.sh

# QUICK=1, FILTER=text, RUNS=n, OURS=file: see benches/run.sh.
bench: reference $(if $(OURS),,library)
	@benches/run.sh

clean:
	$(CARGO) clean
