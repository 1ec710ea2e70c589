"""The client that uses libcurl's WebSocket functions, through pycurl: libcurl.py URL

Runs each scenario against a server that behaves as ../README.md describes, and prints a line for
each.
"""

import os
import select
import struct
import sys

import pycurl

URL = sys.argv[1]
TIMEOUT = 10
SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]
FRAGMENTS = ["one ", "zwölf ", "три"]
UNICODE = "z\0ß水🍌 e\u0301 \U0010ffff"

# Scenarios that libcurl can't run, by the beginning of their names, and why.
SKIPPED = {
    "deflate": "libcurl has no compression",
}

# --- scenarios --------------------------------------------------------------------------------

scenarios = {}


def scenario(name, *arguments):
    """Registers the decorated function, with these arguments, as a scenario or as another one."""
    def add(function):
        scenarios[name] = lambda: function(*arguments)
        return function
    return add


def text(size):
    Socket().echo(letters(size))


def binary(size):
    Socket().echo(pattern(size))


for size in SIZES:
    scenario(f"text of {size} bytes", size)(text)
    scenario(f"binary of {size} bytes", size)(binary)


@scenario("unicode text", 1)
@scenario("unicode text larger than a fragment", 10_000)
def unicode(times):
    Socket().echo(UNICODE * times)


@scenario("fragmented text sent")
def fragmented_text():
    socket = Socket()
    for index, piece in enumerate(FRAGMENTS):
        more = pycurl.WS_CONT if index < len(FRAGMENTS) - 1 else 0
        socket.send_frame(piece.encode(), pycurl.WS_TEXT | more)
    same("echo", "".join(FRAGMENTS), socket.receive())


@scenario("fragmented binary sent, a ping between")
def fragmented_binary():
    socket = Socket()
    data = pattern(100_000)
    socket.send_frame(data[:1], pycurl.WS_BINARY | pycurl.WS_CONT)
    socket.send_frame(b"", pycurl.WS_BINARY | pycurl.WS_CONT)
    socket.send_frame(b"between", pycurl.WS_PING)
    socket.send_frame(data[1:], pycurl.WS_BINARY)
    same("pong", ("pong", b"between"), socket.receive())
    same("echo", data, socket.receive())


@scenario("fragmented text received")
def fragmented_received():
    socket = Socket()
    socket.send("fragment me")
    same("message", "".join(FRAGMENTS), socket.receive())


@scenario("ping answered", b"")
@scenario("ping of 125 bytes answered", bytes(range(125)))
def ping(payload):
    socket = Socket()
    socket.send_frame(payload, pycurl.WS_PING)
    same("pong", ("pong", payload), socket.receive())


@scenario("ping received")
def ping_received():
    socket = Socket()
    socket.send("ping me")
    same("what the server says", "pong: are you there?", socket.receive())


@scenario("100 messages pipelined")
def pipelined():
    socket = Socket()
    messages = [pattern(index * 37) for index in range(100)]
    for message in messages:
        socket.send(message)
    for message in messages:
        same("echo", message, socket.receive())


@scenario("close sent", 4001, "bis später")
@scenario("close without a reason sent", 1000, "")
@scenario("close without a code sent", None, "")
def close_sent(code, reason):
    target = f"/?close-sent-{code}"
    socket = Socket(target)
    socket.close(code, reason)
    same("code of the answer", code, socket.receive()[1])
    same("what follows a Close", None, socket.receive())
    expected = f"{code or 1005} clean {reason}".rstrip()
    same("what the server learnt", expected, end_at_server(target))


@scenario("close sent behind messages")
def close_behind_messages():
    socket = Socket()
    data = pattern(300_000)
    socket.send(data)
    socket.send("the last")
    socket.close(4001, "bis später")
    same("echo", data, socket.receive())
    same("echo", "the last", socket.receive())
    same("code of the answer", ("close", 4001), socket.receive()[:2])


@scenario("close received")
def close_received():
    """The answer to a Close is the application's."""
    target = "/?close-received"
    socket = Socket(target)
    socket.send("close me")
    same("Close", ("close", 4000, "as you asked"), socket.receive())
    socket.close(4000, "")
    same("what follows a Close", None, socket.receive())
    same("what the server learnt", "4000 clean", end_at_server(target)[:10])


@scenario("connection dropped")
def dropped():
    target = "/?dropped"
    socket = Socket(target)
    socket.echo("before the end")
    socket.drop()
    same("what the server learnt", "1006 unclean", end_at_server(target))


@scenario("subprotocol chosen", ["chat.v1", "chat.v2"], "chat.v2")
@scenario("only subprotocol chosen", ["other", "chat.v1"], "chat.v1")
@scenario("no subprotocol offered", [], None)
@scenario("no subprotocol chosen", ["other"], None)
def subprotocol(offered, chosen):
    fields = ["Sec-WebSocket-Protocol: " + ", ".join(offered)] if offered else []
    socket = Socket(fields=fields)
    same("Sec-WebSocket-Protocol", chosen, socket.headers.get("sec-websocket-protocol"))
    socket.echo("and it works")


@scenario("cookies and own headers")
def headers():
    socket = Socket(fields=["X-Interop: from the client"], cookie="session=42")
    same("Set-Cookie", "interop=1; Path=/; HttpOnly", socket.headers.get("set-cookie"))
    same("X-Interop", "sansocket", socket.headers.get("x-interop"))
    socket.send("what headers")
    same("what the server saw", "session=42\nfrom the client", socket.receive())


@scenario("refused")
def refused():
    """libcurl tells the status and the header fields, but not the body."""
    try:
        Socket("/forbidden")
    except Refused as refusal:
        status, fields = refusal.args
    else:
        raise AssertionError("expected a refusal, got a connection")
    same("status", 403, status)
    same("X-Interop", "forbidden", fields.get("x-interop"))


@scenario("deflate not offered")
def without_compression():
    socket = Socket("/deflate")
    same("extensions", None, socket.headers.get("sec-websocket-extensions"))
    socket.send("what compression")
    same("what the server agreed on", "none", socket.receive())
    socket.echo(letters(1000))


# --- building blocks --------------------------------------------------------------------------


class Refused(Exception):
    """The status and the header fields of a refusal."""


class Socket:
    """A connection. libcurl leaves it to the application to wait, and to put fragments together."""

    def __init__(self, path="/", fields=(), cookie=None):
        self.curl = curl = pycurl.Curl()
        self.headers = {}
        curl.setopt(pycurl.URL, URL + path)
        curl.setopt(pycurl.CONNECT_ONLY, 2)
        # libcurl's own answer to a ping would wait until the application next sends something.
        curl.setopt(pycurl.WS_OPTIONS, pycurl.WS_NOAUTOPONG)
        curl.setopt(pycurl.NOPROXY, "*")
        curl.setopt(pycurl.TIMEOUT, TIMEOUT)
        curl.setopt(pycurl.HTTPHEADER, list(fields))
        curl.setopt(pycurl.HEADERFUNCTION, self.read_header)
        if "SSL_CERT_FILE" in os.environ:
            curl.setopt(pycurl.CAINFO, os.environ["SSL_CERT_FILE"])
        if cookie:
            curl.setopt(pycurl.COOKIE, cookie)
        try:
            curl.perform()
        except pycurl.error as error:
            status = curl.getinfo(pycurl.RESPONSE_CODE)
            if error.args[0] == pycurl.E_HTTP_RETURNED_ERROR:
                raise Refused(status, self.headers) from error
            raise
        self.descriptor = curl.getinfo(pycurl.ACTIVESOCKET)

    def read_header(self, line):
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            self.headers[name.lower()] = value.strip()

    def wait_to_read(self):
        if not select.select([self.descriptor], [], [], TIMEOUT)[0]:
            raise AssertionError(f"nothing comes for {TIMEOUT} s")

    def wait_to_write(self):
        select.select([], [self.descriptor], [], TIMEOUT)

    def send(self, message):
        if isinstance(message, str):
            self.send_frame(message.encode(), pycurl.WS_TEXT)
        else:
            self.send_frame(message, pycurl.WS_BINARY)

    def send_frame(self, payload, flags):
        """Sends a frame, in the pieces that libcurl takes."""
        offset, begun = 0, False
        while not begun or offset < len(payload):
            try:
                size = 0 if begun else len(payload)
                offset += self.curl.ws_send(payload[offset:], flags | pycurl.WS_OFFSET, size)
                begun = True
            except BlockingIOError:
                self.wait_to_write()

    def close(self, code, reason):
        payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
        self.send_frame(payload, pycurl.WS_CLOSE)

    def receive(self):
        """Returns a message, a control frame, or `None` at the end."""
        message = b""
        while True:
            payload, flags = b"", None
            try:
                while flags is None or meta.bytesleft:
                    try:
                        piece, meta = self.curl.ws_recv(65_536)
                        payload += piece
                        flags = meta.flags
                    except BlockingIOError:
                        self.wait_to_read()
            except pycurl.error as error:
                if error.args[0] == pycurl.E_GOT_NOTHING:
                    return None
                raise
            if flags & pycurl.WS_PING:
                self.send_frame(payload, pycurl.WS_PONG)
                continue
            if flags & pycurl.WS_PONG:
                return ("pong", payload)
            if flags & pycurl.WS_CLOSE:
                code = struct.unpack("!H", payload[:2])[0] if payload else None
                return ("close", code, payload[2:].decode())
            message += payload
            if not flags & pycurl.WS_CONT:
                return message.decode() if flags & pycurl.WS_TEXT else message

    def echo(self, message):
        self.send(message)
        same("echo", message, self.receive())

    def drop(self):
        self.curl.close()


def end_at_server(target):
    """Asks, on another connection, how a connection ended for the server."""
    socket = Socket()
    socket.send(f"closed {target}")
    return socket.receive()


def pattern(size):
    """Returns bytes that don't repeat at any distance by which a bug could shift them."""
    return bytes((index * 7 + index // 256 * 13) & 0xff for index in range(size))


def letters(size):
    return "".join(chr(97 + byte % 26) for byte in pattern(size))


def same(what, expected, got):
    if got != expected:
        raise AssertionError(f"{what}: expected {brief(expected)}, got {brief(got)}")


def brief(value):
    if isinstance(value, (str, bytes)) and len(value) > 60:
        return f"{type(value).__name__} of length {len(value)}, {value[:40]!r}"
    return repr(value)


def main():
    all_passed = True
    for name, run in scenarios.items():
        try:
            run()
            print(f"ok {name}", flush=True)
        except Exception as error:
            all_passed = False
            print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)
    for name, why in SKIPPED.items():
        print(f"skip {name}: {why}")
    return 0 if all_passed else 1


sys.exit(main())
