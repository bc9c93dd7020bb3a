"""A peer as peer.rs is one, by pyzmq: does what the driver tells it to, line by line, until there are no more lines."""

import errno
import struct
import sys
import threading

import zmq

MASK = (1 << 64) - 1


def pattern(size, seed):
    out = bytearray()
    word = (seed * 0x9E3779B97F4A7C15 & MASK) | 1
    for _ in range(size // 8 + 1):
        out += struct.pack("<Q", word)
        word = (word * 0x5851F42D4C957F2D + 0x14057B7EF767814F) & MASK
    return bytes(out[:size])


def parse(text):
    if text.startswith("="):
        return bytes.fromhex(text[1:])
    size, seed = text.split(":")
    return pattern(int(size), int(seed))


def checksum(data):
    total = len(data)
    whole = len(data) // 8 * 8

    def add(total, word):
        rotated = (total << 5 | total >> 59) & MASK
        return (rotated ^ word) * 0x517CC1B727220A95 & MASK

    for (word,) in struct.iter_unpack("<Q", data[:whole]):
        total = add(total, word)
    for byte in data[whole:]:
        total = add(total, byte)
    return total


def report(data):
    return "=" + data.hex() if len(data) <= 64 else "%d#%016x" % (len(data), checksum(data))


class Authenticator(threading.Thread):
    """The ZAP handler (RFC 27)."""

    def __init__(self, context):
        super().__init__(daemon=True)
        self.admitted = (b"", [])
        self.stopped = False
        self.socket = context.socket(zmq.REP)
        self.socket.linger = 0
        self.socket.rcvtimeo = 20
        self.socket.bind("inproc://zeromq.zap.01")
        self.start()

    def run(self):
        while not self.stopped:
            try:
                request = self.socket.recv_multipart()
            except zmq.Again:
                continue
            user, credentials = self.admitted
            right = request[6:] == credentials
            status, name = (b"200", user) if right else (b"400", b"")
            self.socket.send_multipart([b"1.0", request[1], status, b"text", name, b""])
        self.socket.close()


class Peer:
    def __init__(self):
        self.context = zmq.Context()
        self.sockets, self.monitors, self.users = {}, {}, {}
        self.authenticator = None

    def obey(self, words):
        command, *rest = words
        if command == "term":
            if self.authenticator:
                self.authenticator.stopped = True
                self.authenticator.join()
            self.context.term()
            return ""
        if command == "keypair":
            public, secret = zmq.curve_keypair()
            return f"{public.decode()} {secret.decode()}"
        if command == "zap":
            self.authenticator = self.authenticator or Authenticator(self.context)
            user, *credentials = map(parse, rest)
            self.authenticator.admitted = (user, credentials)
            return ""
        name, *arguments = rest
        if command == "socket":
            self.sockets[name] = self.context.socket(int(arguments[0]))
            return ""
        return getattr(self, "do_" + command)(self.sockets[name], name, *arguments)

    def do_close(self, socket, name):
        monitor = self.monitors.pop(name, None)
        if monitor:
            socket.disable_monitor()
        self.sockets.pop(name).close()
        return ""

    def do_int(self, socket, _, option, value):
        socket.setsockopt(int(option), int(value))
        return ""

    def do_bytes(self, socket, _, option, value):
        socket.setsockopt(int(option), parse(value))
        return ""

    def do_bind(self, socket, _, endpoint):
        socket.bind(endpoint)
        return socket.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()

    def do_connect(self, socket, _, endpoint):
        socket.connect(endpoint)
        return ""

    def do_watch(self, socket, name):
        self.monitors[name] = socket.get_monitor_socket()
        self.monitors[name].rcvtimeo = 8000
        return ""

    def do_refusal(self, _, name):
        while True:
            frame, _ = self.monitors[name].recv_multipart()
            event, value = struct.unpack("=Hi", frame)
            if event in (0x0800, 0x2000, 0x4000):
                return f"{event:#x} {value}"

    def do_send(self, socket, _, *frames):
        socket.send_multipart([parse(frame) for frame in frames])
        return ""

    def do_recv(self, socket, name):
        frames = socket.recv_multipart(copy=False)
        try:
            self.users[name] = frames[0].get("User-Id")
        except zmq.ZMQError:
            self.users[name] = ""
        return " ".join(report(frame.bytes) for frame in frames)

    def do_user(self, _, name):
        return self.users.get(name, "")

    def do_events(self, socket, _):
        return str(socket.getsockopt(zmq.EVENTS))

    def do_gather(self, socket, _, size):
        data = b""
        while len(data) < int(size):
            data += socket.recv_multipart()[1]
        return report(data)

    def do_burst(self, socket, _, count):
        for number in range(int(count)):
            socket.send(struct.pack("=i", number).ljust(4 + number % 64, b"."))
        return ""

    def do_count(self, socket, _, count):
        for number in range(int(count)):
            if socket.recv() != struct.pack("=i", number).ljust(4 + number % 64, b"."):
                return f"message {number} is another"
        return "all"


def main():
    peer = Peer()
    for line in sys.stdin:
        try:
            answer = "ok " + peer.obey(line.split())
        except zmq.ZMQError as error:
            answer = f"error {error.errno}"
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            print(repr(error), file=sys.stderr)
            answer = f"error {errno.ENOSYS}"
        print(answer.rstrip(), flush=True)


main()
