"""The client that uses Python's websockets: client.py URL

Runs each scenario against a server that behaves as ../README.md describes, and prints a line for
each.
"""

import asyncio
import functools
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from deflate import count_compressed, describe, describe_parameters, parse

URL = sys.argv[1]
TIMEOUT = 10
SIZES = [0, 1, 125, 126, 65_535, 65_536, 1 << 20]
FRAGMENTS = ["one ", "zwölf ", "три"]
UNICODE = "z\0ß水🍌 e\u0301 \U0010ffff"

# --- scenarios --------------------------------------------------------------------------------

scenarios = {}


def scenario(name, *arguments):
    """Registers the decorated function, with these arguments, as a scenario or as another one."""
    def add(function):
        scenarios[name] = lambda: function(*arguments)
        return function
    return add


async def text(size):
    async with open_socket() as socket:
        await echo(socket, letters(size))


async def binary(size):
    async with open_socket() as socket:
        await echo(socket, pattern(size))


for size in SIZES:
    scenario(f"text of {size} bytes", size)(text)
    scenario(f"binary of {size} bytes", size)(binary)


@scenario("unicode text", 1)
@scenario("unicode text larger than a fragment", 10_000)
async def unicode(times):
    async with open_socket() as socket:
        await echo(socket, UNICODE * times)


@scenario("fragmented text sent")
async def fragmented_text():
    async with open_socket() as socket:
        await socket.send(FRAGMENTS)
        same("echo", "".join(FRAGMENTS), await socket.recv())


@scenario("fragmented binary sent, a ping between")
async def fragmented_binary():
    data = pattern(100_000)
    async with open_socket() as socket:
        pongs = []

        async def pieces():
            yield data[:1]
            yield b""
            pongs.append(await socket.ping("between"))
            yield data[1:]

        await socket.send(pieces())
        await pongs[0]
        same("echo", data, await socket.recv())


@scenario("fragmented text received")
async def fragmented_received():
    async with open_socket() as socket:
        await socket.send("fragment me")
        same("fragments", FRAGMENTS, [piece async for piece in socket.recv_streaming()])


@scenario("ping answered", b"")
@scenario("ping of 125 bytes answered", bytes(range(125)))
async def ping(payload):
    async with open_socket() as socket:
        # Only the pong with the same payload resolves this.
        await (await socket.ping(payload))
        await echo(socket, "and it goes on")


@scenario("ping received")
async def ping_received():
    async with open_socket() as socket:
        await socket.send("ping me")
        same("what the server says", "pong: are you there?", await socket.recv())


@scenario("100 messages pipelined")
async def pipelined():
    messages = [pattern(index * 37) for index in range(100)]

    async def send_all(socket):
        for message in messages:
            await socket.send(message)

    async with open_socket() as socket:
        sending = asyncio.create_task(send_all(socket))
        for message in messages:
            same("echo", message, await socket.recv())
        await sending


@scenario("close sent", 4001, "bis später")
@scenario("close without a reason sent", 1000, "")
async def close_sent(code, reason):
    target = f"/?close-sent-{code}"
    async with open_socket(target) as socket:
        await socket.close(code, reason)
        same("clean end", (code, True), (await end(socket))[::2])
    same("what the server learnt", f"{code} clean {reason}".rstrip(), await end_at_server(target))


@scenario("close sent behind messages")
async def close_behind_messages():
    data = pattern(300_000)
    async with open_socket() as socket:
        await socket.send(data)
        await socket.send("the last")
        await socket.close(4001, "bis später")
        same("echo", data, await socket.recv())
        same("echo", "the last", await socket.recv())
        same("clean end", (4001, True), (await end(socket))[::2])


@scenario("close received")
async def close_received():
    async with open_socket("/?close-received") as socket:
        await socket.send("close me")
        same("end", (4000, "as you asked", True), await end(socket))
    # Whether the answering endpoint repeats the reason along with the code is up to it.
    same("what the server learnt", "4000 clean", (await end_at_server("/?close-received"))[:10])


@scenario("connection dropped")
async def dropped():
    async with open_socket("/?dropped") as socket:
        await echo(socket, "before the end")
        socket.transport.abort()
    same("what the server learnt", "1006 unclean", await end_at_server("/?dropped"))


@scenario("subprotocol chosen", ["chat.v1", "chat.v2"], "chat.v2")
@scenario("only subprotocol chosen", ["other", "chat.v1"], "chat.v1")
@scenario("no subprotocol offered", None, None)
@scenario("no subprotocol chosen", ["other"], None)
async def subprotocol(offered, chosen):
    async with open_socket(subprotocols=offered) as socket:
        same("subprotocol", chosen, socket.subprotocol)
        await echo(socket, "and it works")


@scenario("cookies and own headers")
async def headers():
    own = {"Cookie": "session=42", "X-Interop": "from the client"}
    async with open_socket(additional_headers=own) as socket:
        same("Set-Cookie", "interop=1; Path=/; HttpOnly", socket.response.headers.get("Set-Cookie"))
        same("X-Interop", "sansocket", socket.response.headers.get("X-Interop"))
        await socket.send("what headers")
        same("what the server saw", "session=42\nfrom the client", await socket.recv())


@scenario("refused")
async def refused():
    try:
        async with open_socket("/forbidden"):
            raise AssertionError("expected a refusal, got a connection")
    except InvalidStatus as error:
        response = error.response
    same("status", 403, response.status_code)
    same("X-Interop", "forbidden", response.headers.get("X-Interop"))
    same("body", b"not for you\n", response.body)


# --- scenarios of compression -----------------------------------------------------------------

ALONE = "server_no_context_takeover&client_no_context_takeover"
BARE = "client_max_window_bits"
EVERYTHING = f"{ALONE}&server_max_window_bits=9&client_max_window_bits=10"

# What the client wants, what the server wants, and the expected response.
AGREEMENTS = [
    ("", "", ""),
    (BARE, "", ""),
    ("server_no_context_takeover", "", "server_no_context_takeover"),
    ("client_no_context_takeover", "", "client_no_context_takeover"),
    (ALONE, "", ALONE),
    # The response confirms the largest window of the server, but need not confirm the client's.
    ("server_max_window_bits=15", "", "server_max_window_bits=15"),
    ("client_max_window_bits=15", "", ""),
    (BARE, "server_no_context_takeover", "server_no_context_takeover"),
    (BARE, "client_no_context_takeover", "client_no_context_takeover"),
    (BARE, ALONE, ALONE),
    (BARE, "server_max_window_bits=9", "server_max_window_bits=9"),
    (BARE, "client_max_window_bits=10", "client_max_window_bits=10"),
    # The client did not offer client_max_window_bits.
    ("", "client_max_window_bits=10", ""),
    ("server_max_window_bits=12", "server_max_window_bits=10", "server_max_window_bits=10"),
    ("client_max_window_bits=12", "client_max_window_bits=10", "client_max_window_bits=10"),
    ("server_max_window_bits=10", "server_max_window_bits=12", "server_max_window_bits=10"),
    (EVERYTHING, "", EVERYTHING),
]
for name in ("server_max_window_bits", "client_max_window_bits"):
    for bits in range(8, 15):
        # Python's zlib can't compress with a window of 8 bits.
        if (name, bits) != ("client_max_window_bits", 8):
            AGREEMENTS.append((f"{name}={bits}", "", f"{name}={bits}"))


def compressing(offer, answer=""):
    arguments = {"client_max_window_bits": None, **parse(offer)}
    factory = ClientPerMessageDeflateFactory(**arguments)
    return open_socket(f"/deflate?{answer}", extensions=[factory])


async def negotiated(offer, answer, agreed):
    async with compressing(offer, answer) as socket:
        compressed = count_compressed(socket)
        header = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        expected = ["permessage-deflate", *filter(None, agreed.split("&"))]
        same("response", sorted(expected), sorted(header.split("; ")))
        expected = describe_parameters(parse(agreed))
        same("what the client agreed on", expected, describe(socket, "client", "server"))
        await socket.send("what compression")
        same("what the server agreed on", expected, await socket.recv())
        for message in windows():
            await echo(socket, message)
        await echo(socket, noise(3000))
        await echo(socket, phrases(1000))
        same("messages that came compressed", len(windows()) + 1, compressed())


for agreement in AGREEMENTS:
    scenario("deflate offer [{}] answer [{}]".format(*agreement), *agreement)(negotiated)


async def compressed_of(parameters, size):
    async with compressing(parameters) as socket:
        for _ in range(2):
            await echo(socket, phrases(size))
            await echo(socket, noise(size))


async def compressed_fragments(parameters):
    text = phrases(100_000)

    async def pieces(socket, pongs):
        yield text[:1]
        yield ""
        pongs.append(await socket.ping())
        yield text[1:50_000]
        yield text[50_000:]

    async with compressing(parameters) as socket:
        compressed = count_compressed(socket)
        for _ in range(2):
            pongs = []
            await socket.send(pieces(socket, pongs))
            await pongs[0]
            same("echo", text, await socket.recv())
        same("messages that came compressed", 2, compressed())


async def compressed_fragments_received(parameters):
    async with compressing(parameters) as socket:
        compressed = count_compressed(socket)
        for _ in range(3):
            await socket.send("fragment me")
            same("fragments", FRAGMENTS, [piece async for piece in socket.recv_streaming()])
        same("messages that came compressed", 3, compressed())


async def mixed(parameters):
    """websockets compresses everything, so only the server sends uncompressed messages."""
    async with compressing(parameters) as socket:
        compressed = count_compressed(socket)
        for _ in range(7):
            for message in (phrases(1000), noise(1000), UNICODE):
                await echo(socket, message)
        same("messages that came compressed", 7, compressed())


async def compressed_pipelined(parameters):
    messages = [phrases(index * 37) for index in range(100)]

    async def send_all(socket):
        for message in messages:
            await socket.send(message)

    async with compressing(parameters) as socket:
        sending = asyncio.create_task(send_all(socket))
        for message in messages:
            same("echo", message, await socket.recv())
        await sending


for name, parameters in (("deflate", BARE), ("deflate of each message", ALONE)):
    for size in SIZES:
        scenario(f"{name}: {size} bytes", parameters, size)(compressed_of)
    scenario(f"{name}: fragmented, a ping between", parameters)(compressed_fragments)
    scenario(f"{name}: fragmented received", parameters)(compressed_fragments_received)
    scenario(f"{name}: plain between", parameters)(mixed)
    scenario(f"{name}: 100 messages pipelined", parameters)(compressed_pipelined)


@scenario("deflate declined", "/", "deflate")
@scenario("deflate not offered", "/deflate", None)
async def without_compression(path, compression):
    async with open_socket(path, compression) as socket:
        same("extensions", None, socket.response.headers.get("Sec-WebSocket-Extensions"))
        await socket.send("what compression")
        same("what the server agreed on", "none", await socket.recv())
        await echo(socket, phrases(1000))
        await echo(socket, noise(1000))


# --- building blocks --------------------------------------------------------------------------


def open_socket(path="/", compression=None, **options):
    return connect(URL + path, compression=compression, proxy=None, ping_interval=None, **options)


async def echo(socket, message):
    await socket.send(message)
    same("echo", message, await socket.recv())


async def end(socket):
    """Waits for the end. Returns the peer's code and reason, and whether the end was clean."""
    try:
        message = await socket.recv()
    except ConnectionClosed as closed:
        if closed.rcvd is None:
            return (1006, "", False)
        return (closed.rcvd.code, closed.rcvd.reason, closed.sent is not None)
    raise AssertionError(f"expected the end, got {brief(message)}")


async def end_at_server(target):
    """Asks, on another connection, how a connection ended for the server."""
    async with open_socket() as socket:
        await socket.send(f"closed {target}")
        return await socket.recv()


def pattern(size):
    """Returns bytes that don't repeat at any distance by which a bug could shift them."""
    return bytes((index * 7 + index // 256 * 13) & 0xff for index in range(size))


def letters(size):
    return "".join(chr(97 + byte % 26) for byte in pattern(size))


@functools.lru_cache(maxsize=None)
def noise(size):
    """Returns incompressible bytes."""
    state = size
    data = bytearray()
    for _ in range(size):
        state = (state * 1_103_515_245 + 12_345) & 0xffff_ffff
        data.append(state >> 16 & 0xff)
    return bytes(data)


def phrases(size):
    """Returns text that compresses well."""
    phrase = "the quick brown fox jumps over the lazy dog, "
    return (phrase * (size // len(phrase) + 1))[:size]


def windows():
    """Returns messages in which everything occurs twice.

    The second occurrence compresses best by referring to the first, which a window smaller than the
    message rules out.
    """
    sizes = (120, 200, 240, 300, 500, 600, 1100, 2100, 4200, 8300, 17_000)
    return [noise(size // 2).hex() for size in sizes for _ in range(2)]


def same(what, expected, got):
    if got != expected:
        raise AssertionError(f"{what}: expected {brief(expected)}, got {brief(got)}")


def brief(value):
    if isinstance(value, (str, bytes)) and len(value) > 60:
        return f"{type(value).__name__} of length {len(value)}, {value[:40]!r}"
    return repr(value)


async def main():
    all_passed = True
    for name, run in scenarios.items():
        try:
            await asyncio.wait_for(run(), TIMEOUT)
            print(f"ok {name}", flush=True)
        except asyncio.TimeoutError:
            all_passed = False
            print(f"not ok {name}: not finished within {TIMEOUT} s", flush=True)
        except Exception as error:
            all_passed = False
            print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)
    return 0 if all_passed else 1


sys.exit(asyncio.run(main()))
