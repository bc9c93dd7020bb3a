import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.math.BigInteger;
import java.net.ServerSocket;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import zmq.Ctx;
import zmq.Msg;
import zmq.SocketBase;
import zmq.ZMQ;

/** A peer as peer.rs is one, by JeroMQ: does what the driver tells it to, line by line, until there are no more lines. */
public class Peer {
    /** A call that failed, with an errno. */
    static class Failed extends RuntimeException {
        final int errno;

        Failed(int errno) {
            this.errno = errno;
        }
    }

    static final int EAGAIN = 11;
    static final int ENOSYS = 38;
    static final int EADDRINUSE = 98;

    final Ctx context = ZMQ.init(1);
    final Map<String, SocketBase> sockets = new HashMap<>();

    public static void main(String[] args) throws Exception {
        Peer peer = new Peer();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        PrintStream out = new PrintStream(System.out, true);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String answer;
            try {
                answer = "ok " + peer.obey(line.trim().split(" "));
            } catch (Failed failed) {
                answer = "error " + failed.errno;
            }
            out.println(answer.trim());
        }
    }

    String obey(String[] words) {
        if (words[0].equals("term")) {
            ZMQ.term(context);
            return "";
        }
        if (words.length < 2) {
            throw new Failed(ENOSYS);
        }
        String name = words[1];
        if (words[0].equals("socket")) {
            sockets.put(name, ZMQ.socket(context, Integer.parseInt(words[2])));
            return "";
        }
        SocketBase socket = sockets.get(name);
        switch (words[0]) {
            case "close":
                ZMQ.close(sockets.remove(name));
                return "";
            case "int":
                set(socket, Integer.parseInt(words[2]), Integer.parseInt(words[3]));
                return "";
            case "bytes":
                set(socket, Integer.parseInt(words[2]), parse(words[3]));
                return "";
            case "bind":
                String endpoint = words[2].replace("*", freePort());
                if (!ZMQ.bind(socket, endpoint)) {
                    throw new Failed(EADDRINUSE);
                }
                return endpoint;
            case "connect":
                check(socket, ZMQ.connect(socket, words[2]));
                return "";
            case "events":
                return Integer.toString(ZMQ.getSocketOption(socket, ZMQ.ZMQ_EVENTS));
            case "user":
                return "";
            case "send":
                for (int i = 2; i < words.length; i++) {
                    send(socket, parse(words[i]), i + 1 < words.length ? ZMQ.ZMQ_SNDMORE : 0);
                }
                return "";
            case "recv":
                return receive(socket);
            case "burst":
                for (int number = 0; number < Integer.parseInt(words[2]); number++) {
                    send(socket, numbered(number), 0);
                }
                return "";
            case "count":
                for (int number = 0; number < Integer.parseInt(words[2]); number++) {
                    if (!Arrays.equals(part(socket).data(), numbered(number))) {
                        return "message " + number + " is another";
                    }
                }
                return "all";
            default:
                throw new Failed(ENOSYS);
        }
    }

    /** JeroMQ doesn't tell which port it has been given. */
    static String freePort() {
        try (ServerSocket socket = new ServerSocket(0)) {
            return Integer.toString(socket.getLocalPort());
        } catch (IOException e) {
            throw new Failed(EADDRINUSE);
        }
    }

    static void set(SocketBase socket, int option, Object value) {
        ZMQ.setSocketOption(socket, option, value);
    }

    static void check(SocketBase socket, boolean succeeded) {
        if (!succeeded) {
            int errno = socket.errno();
            // JeroMQ has numbers of its own for some; what matters to the driver is that the time is up.
            throw new Failed(errno == 0 || errno == zmq.ZError.EAGAIN ? EAGAIN : errno);
        }
    }

    static void send(SocketBase socket, byte[] data, int flags) {
        check(socket, ZMQ.send(socket, new Msg(data), flags) >= 0);
    }

    static Msg part(SocketBase socket) {
        Msg message = ZMQ.recv(socket, 0);
        check(socket, message != null);
        return message;
    }

    static String receive(SocketBase socket) {
        StringBuilder text = new StringBuilder();
        while (true) {
            Msg message = part(socket);
            text.append(report(message.data())).append(' ');
            if (!message.hasMore()) {
                return text.toString().trim();
            }
        }
    }

    static byte[] numbered(int number) {
        byte[] bytes = new byte[4 + number % 64];
        Arrays.fill(bytes, (byte) '.');
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putInt(number);
        return bytes;
    }

    static byte[] parse(String text) {
        if (text.startsWith("=")) {
            byte[] bytes = new byte[(text.length() - 1) / 2];
            for (int i = 0; i < bytes.length; i++) {
                bytes[i] = (byte) Integer.parseInt(text.substring(1 + 2 * i, 3 + 2 * i), 16);
            }
            return bytes;
        }
        int size = Integer.parseInt(text.substring(0, text.indexOf(':')));
        long word = new BigInteger(text.substring(text.indexOf(':') + 1)).longValue() * 0x9e3779b97f4a7c15L | 1;
        ByteBuffer bytes = ByteBuffer.allocate(size + 8).order(ByteOrder.LITTLE_ENDIAN);
        while (bytes.position() < size) {
            bytes.putLong(word);
            word = word * 0x5851f42d4c957f2dL + 0x14057b7ef767814fL;
        }
        return Arrays.copyOf(bytes.array(), size);
    }

    static String report(byte[] bytes) {
        if (bytes.length > 64) {
            return String.format("%d#%016x", bytes.length, checksum(bytes));
        }
        StringBuilder text = new StringBuilder("=");
        for (byte b : bytes) {
            text.append(String.format("%02x", b));
        }
        return text.toString();
    }

    static long checksum(byte[] bytes) {
        long sum = bytes.length;
        int whole = bytes.length / 8 * 8;
        ByteBuffer words = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int at = 0; at < whole; at += 8) {
            sum = (Long.rotateLeft(sum, 5) ^ words.getLong(at)) * 0x517cc1b727220a95L;
        }
        for (int at = whole; at < bytes.length; at++) {
            sum = (Long.rotateLeft(sum, 5) ^ (bytes[at] & 0xff)) * 0x517cc1b727220a95L;
        }
        return sum;
    }
}
