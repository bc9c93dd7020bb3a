# Checks that take longer than `make test`, or need more than a stable toolchain.
#
# make loom      every order of the steps of the lock-free parts      make valgrind  memcheck, and leaks at exit
# make asan      AddressSanitizer over the tests (nightly)            make miri      undefined behaviour (nightly with miri)
# make tsan      ThreadSanitizer over the tests (nightly)           make fuzz      what peers send, for FUZZ_SECONDS each (nightly)
# make test-programs   programs that were built for libzmq: pyzmq's tests, czmq, cppzmq (Debian)
#
# Each has a target folder of its own, so that none makes the others' stale.

NIGHTLY ?= +nightly
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
# What runs many threads, what reaches into memory, and what hears bad peers. Not those programs that look at text or symbols, run other
# processes (browsers), or count memory.
THREADED = --lib --test stress --test sockets --test fork --test polling --test sessions --test misuse --test bad_input --test security \
	--test udp --test websocket --test wss --test socks --test gssapi --test norm --test pgm
# A few at a time: instrumented code is slow, and handshakes have their time.
FEW = -- --test-threads=3
# Instrumented, this one hadn't ended after minutes, and the I/O thread was busy. Not explained; it was before streams that lead nowhere rested.
BUSY = --skip garbage_harms_nobody

.PHONY: test-programs loom asan tsan valgrind miri fuzz

test-programs: library
	@scripts/deps.sh c network programs
	@scripts/test-programs.sh

loom:
	RUSTFLAGS="--cfg loom" $(CARGO) test --release --lib --target-dir target/loom loom_

# Tests ask for absurdly much memory, too, and want to be refused. Leaks are valgrind's business: LeakSanitizer doesn't work
# under ptrace, and counts what lives as long as the process. Bodies of messages aren't pooled here: each has to be seen to come and go.
# Little of what was freed is kept: there are tests that count the process's memory. And see BUSY.
asan:
	RUSTFLAGS="-Zsanitizer=address" ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=16 \
	$(CARGO) $(NIGHTLY) test --no-fail-fast --features plain-malloc --target $(HOST) --target-dir target/asan $(THREADED) $(FEW) $(BUSY)

# The standard library isn't instrumented; what that hides is in scripts/tsan.supp, each with its reason. Two tests are about who
# is quicker, a sender or the I/O thread, and the I/O thread or a new route; here it's the wrong one.
TOO_SLOW = --skip a_sender_that_never_waits_is_told_when_its_mark_is_reached --skip without_a_route_datagrams_are_lost_until_there_is_one
# Where libgssapi_krb5 can't be loaded, llvm-symbolizer can't start either (libcurl needs it), and without names nothing is suppressed.
NAMELESS = --skip without_the_library_the_options_are_unknown
tsan:
	RUSTFLAGS="-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer --cfg tsan" \
	TSAN_OPTIONS="suppressions=$(CURDIR)/scripts/tsan.supp die_after_fork=0 allocator_may_return_null=1" \
	$(CARGO) $(NIGHTLY) test --no-fail-fast --target $(HOST) --target-dir target/tsan $(THREADED) $(FEW) $(TOO_SLOW) $(NAMELESS) $(BUSY)

# Bodies of messages aren't pooled here, either. Optimised as a whole the library would take long to build.
valgrind:
	CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
	$(CARGO) build --release --features plain-malloc --target-dir target/valgrind
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
