# Checks that take longer than `make test`, or need more than a stable toolchain.
#
# make loom      every order of the steps of the lock-free parts      make valgrind  memcheck, and leaks at exit
# make asan      AddressSanitizer over the tests (nightly)            make miri      undefined behaviour (nightly with miri)
# make tsan      ThreadSanitizer over the tests (nightly)           make fuzz      what peers send, for FUZZ_SECONDS each (nightly)
#
# Each has a target folder of its own, so that none makes the others' stale.

NIGHTLY ?= +nightly
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
# What runs many threads, and what reaches into memory.
THREADED = --lib --test stress --test sockets

.PHONY: loom asan tsan valgrind miri fuzz

loom:
	RUSTFLAGS="--cfg loom" $(CARGO) test --release --lib --target-dir target/loom loom_

# Tests ask for absurdly much memory, too, and want to be refused. Leaks are valgrind's business: LeakSanitizer doesn't work
# under ptrace, and counts what lives as long as the process.
asan:
	RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	$(CARGO) $(NIGHTLY) test --target $(HOST) --target-dir target/asan $(THREADED)

# The standard library isn't instrumented; what that hides is in scripts/tsan.supp, each with its reason.
tsan:
	RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" \
	TSAN_OPTIONS="suppressions=$(CURDIR)/scripts/tsan.supp die_after_fork=0 allocator_may_return_null=1" \
	$(CARGO) $(NIGHTLY) test --target $(HOST) --target-dir target/tsan $(THREADED)

valgrind: library
	@scripts/valgrind.sh

# Those parts that make no system calls.
miri:
	$(CARGO) $(NIGHTLY) miri test --target-dir target/miri --lib -- message:: pipe:: zmtp:: pattern:: options::

FUZZ_SECONDS ?= 60
FUZZ_TARGETS = connection zap_reply options endpoints datagram

# Coverage-guided, with AddressSanitizer. What it finds is in fuzz/artifacts; what it has learnt, in fuzz/corpus.
fuzz:
	@command -v cargo-fuzz > /dev/null || $(CARGO) install --locked cargo-fuzz
	for target in $(FUZZ_TARGETS); do \
		$(CARGO) $(NIGHTLY) fuzz run $$target --target-dir target/fuzz -- -max_total_time=$(FUZZ_SECONDS) -dict=fuzz/zmtp.dict -max_len=4096 -print_final_stats=1 || exit 1; \
	done
