#!/bin/bash
# `make test-programs`: whether programs that were built for libzmq run on this library instead, found by LD_LIBRARY_PATH and by LD_PRELOAD.
#
#   pyzmq      Debian's python3-zmq, and the tests that it brings, but for those of draft sockets (see below)
#   czmq       a small program on Debian's libczmq4
#   cppzmq     Debian's header cppzmq-dev, compiled against this library's zmq.h, with the draft API
#
# In a network namespace, since ports are fixed here and there. Ends with a line in the form of cargo's tests.
set -uo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/lib" && cp "${OURS:-target/release/libzmq.so}" "$work/lib/libzmq.so.5" && ln -s libzmq.so.5 "$work/lib/libzmq.so" || exit 1
ours=$work/lib/libzmq.so.5
passed=0 failed=0
report() { # NAME STATUS
    if [ "$2" = 0 ]; then
        echo "test programs::$1 ... ok"
        passed=$((passed + 1))
    else
        echo "test programs::$1 ... FAILED"
        failed=$((failed + 1))
    fi
}
alone() { timeout -k 5 300 unshare --net --map-root-user sh -c 'ip link set lo up && exec "$@"' - "$@"; }

# Whether it is this library that the tests run on, not the distribution's.
loaded='import zmq; print(any(line.split()[-1].startswith("'$work'") for line in open("/proc/self/maps") if "libzmq" in line))'
[ "$(LD_LIBRARY_PATH=$work/lib /usr/bin/python3 -c "$loaded")" = True ]
report pyzmq_finds_it $?
[ "$(LD_PRELOAD=$ours /usr/bin/python3 -c "$loaded")" = True ]
report pyzmq_has_it_preloaded $?

# Debian's pyzmq was compiled without the draft functions, but runs their tests if the library says that it has them. test_cython needs a compiler
# of its own, and test_log hangs now and then on upstream's library too, when a subscription is late.
tests=$(/usr/bin/python3 -c 'import zmq.tests; print(zmq.tests.__path__[0])')
alone env LD_LIBRARY_PATH="$work/lib" /usr/bin/python3 -m pytest -q -p no:cacheprovider --junitxml="$work/results.xml" \
    --deselect "$tests/test_draft.py" --ignore "$tests/test_draft.py" --ignore "$tests/test_cython.py" --ignore "$tests/test_log.py" "$tests" > "$work/log" 2>&1
status=$?
read -r count bad < <(/usr/bin/python3 - "$work/results.xml" << 'PYTHON'
import sys, xml.etree.ElementTree as tree
cases = list(tree.parse(sys.argv[1]).iter("testcase"))
bad = [c for c in cases if any(child.tag in ("failure", "error") for child in c)]
skipped = [c for c in cases if any(child.tag == "skipped" for child in c)]
for case in bad:
    print("test programs::pyzmq::" + case.get("classname") + "." + case.get("name"), "... FAILED", file=sys.stderr)
print(len(cases) - len(bad) - len(skipped), len(bad))
PYTHON
)
passed=$((passed + ${count:-0})) failed=$((failed + ${bad:-0}))
if [ $status != 0 ]; then
    cat "$work/log"
    [ "${bad:-0}" = 0 ] && failed=$((failed + 1))
fi
echo "pyzmq: ${count:-0} passed, ${bad:-0} failed"

# A poller takes czmq's sockets, libzmq's, actors and descriptors, and tells them apart by what it finds in memory.
cat > "$work/czmq.c" << 'C'
#include <czmq.h>

static void echo (zsock_t *pipe, void *unused)
{
    (void) unused;
    zsock_signal (pipe, 0);
    for (char *got; (got = zstr_recv (pipe)) && strcmp (got, "$TERM"); zstr_free (&got))
        zstr_send (pipe, got);
}

int main (void)
{
    zsock_t *push = zsock_new_push ("@tcp://127.0.0.1:*");
    zsock_t *pull = zsock_new (ZMQ_PULL);
    zactor_t *actor = zactor_new (echo, NULL);
    assert (push && pull && actor && zsock_connect (pull, "%s", zsock_endpoint (push)) == 0);
    void *raw = zsock_resolve (pull);
    assert (raw == zsock_resolve (raw));
    zpoller_t *poller = zpoller_new (raw, actor, NULL);
    zstr_send (push, "one");
    assert (zpoller_wait (poller, 10000) == raw);
    char *got = zstr_recv (raw);
    assert (streq (got, "one"));
    zstr_free (&got);
    zstr_send (actor, "two");
    assert (zpoller_wait (poller, 10000) == actor);
    zpoller_destroy (&poller);
    zactor_destroy (&actor);
    zsock_destroy (&pull);
    zsock_destroy (&push);
    return 0;
}
C
gcc -o "$work/czmq" "$work/czmq.c" -lczmq -L"$work/lib" -lzmq && alone env LD_LIBRARY_PATH="$work/lib" "$work/czmq"
report czmq $?
alone env LD_PRELOAD="$ours" "$work/czmq"
report czmq_has_it_preloaded $?

cat > "$work/cpp.cpp" << 'CPP'
#include <cassert>
#include <zmq.hpp>
#include <zmq_addon.hpp>

int main ()
{
    zmq::context_t context;
    zmq::socket_t server (context, zmq::socket_type::server), client (context, zmq::socket_type::client);
    server.bind ("tcp://127.0.0.1:*");
    client.connect (server.get (zmq::sockopt::last_endpoint));
    client.send (zmq::str_buffer ("request"), zmq::send_flags::none);
    zmq::message_t request;
    assert (server.recv (request) && request.to_string () == "request" && request.routing_id () != 0);
    zmq::message_t reply (std::string ("reply"));
    reply.set_routing_id (request.routing_id ());
    server.send (reply, zmq::send_flags::none);
    zmq::poller_t<> poller;
    poller.add (client, zmq::event_flags::pollin);
    std::vector<zmq::poller_event<>> events (1);
    assert (poller.wait_all (events, std::chrono::seconds (10)) == 1);
    assert (client.recv (reply) && reply.to_string () == "reply");

    zmq::socket_t radio (context, zmq::socket_type::radio), dish (context, zmq::socket_type::dish);
    radio.bind ("inproc://radio");
    dish.join ("group");
    dish.connect ("inproc://radio");
    zmq::message_t news (std::string ("news"));
    news.set_group ("group");
    radio.send (news, zmq::send_flags::none);
    zmq::message_t heard;
    assert (dish.recv (heard) && heard.to_string () == "news" && std::string (heard.group ()) == "group");

    zmq::socket_t pull (context, zmq::socket_type::pull), push (context, zmq::socket_type::push);
    pull.bind ("ipc://*");
    push.connect (pull.get (zmq::sockopt::last_endpoint));
    std::vector<zmq::const_buffer> parts{zmq::str_buffer ("a"), zmq::str_buffer ("b")};
    zmq::send_multipart (push, parts);
    std::vector<zmq::message_t> got;
    assert (zmq::recv_multipart (pull, std::back_inserter (got)) && got.size () == 2);
    try {
        pull.bind ("nonsense");
        return 1;
    } catch (const zmq::error_t &error) {
        assert (error.num () == EINVAL);
    }
}
CPP
g++ -std=c++17 -UNDEBUG -DZMQ_BUILD_DRAFT_API -Iinclude -o "$work/cpp" "$work/cpp.cpp" -L"$work/lib" -lzmq -pthread && alone env LD_LIBRARY_PATH="$work/lib" "$work/cpp"
report cppzmq_with_drafts $?

echo
if [ $failed = 0 ]; then result=ok; else result=FAILED; fi
echo "test result: $result. $passed passed; $failed failed"
[ $failed = 0 ]
