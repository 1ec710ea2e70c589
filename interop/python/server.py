"""The server that uses Python's websockets. ../README.md describes its answers."""

import asyncio
import os
import ssl
import traceback

from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from deflate import count_compressed, describe, parse

FRAGMENTS = ["one ", "zwölf ", "три"]
ends = {}


def choose_subprotocol(connection, offered):
    return next((name for name in ("chat.v2", "chat.v1") if name in offered), None)


def refuse_or_compress(connection, request):
    """Refuses the request, or configures compression according to its path."""
    path, _, query = request.path.partition("?")
    if path == "/deflate":
        factory = ServerPerMessageDeflateFactory(**parse(query))
        connection.protocol.available_extensions = [factory]
    if request.path != "/forbidden":
        return None
    response = connection.respond(403, "not for you\n")
    response.headers["X-Interop"] = "forbidden"
    return response


def add_headers(connection, request, response):
    response.headers["Set-Cookie"] = "interop=1; Path=/; HttpOnly"
    response.headers["X-Interop"] = "websockets"


async def talk(socket):
    target = socket.request.path
    compressed = count_compressed(socket)
    try:
        while True:
            await answer(socket, await socket.recv(), compressed)
    except ConnectionClosed as closed:
        code, reason = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        clean = "clean" if closed.rcvd and closed.sent else "unclean"
        ends[target] = f"{code} {clean} {reason}".rstrip()
        print(f"{target}: {ends[target]}", flush=True)
    except Exception:
        # An error must not go unnoticed.
        traceback.print_exc()
        os._exit(1)


async def answer(socket, message, compressed):
    if message == "close me":
        await socket.close(4000, "as you asked")
    elif message == "ping me":
        # This checks the payload: the future only resolves with the right pong.
        await (await socket.ping("are you there?"))
        await socket.send("pong: are you there?")
    elif message == "fragment me":
        await socket.send(FRAGMENTS)
    elif message == "what headers":
        headers = socket.request.headers
        await socket.send(f"{headers.get('Cookie', '')}\n{headers.get('X-Interop', '')}")
    elif message == "what compression":
        await socket.send(describe(socket, "server", "client"))
    elif message == "how many":
        await socket.send(str(compressed()))
    elif isinstance(message, str) and message.startswith("closed "):
        await socket.send(await end_of(message[len("closed "):]))
    else:
        await socket.send(message)


async def end_of(target):
    """Waits until the end is known, since one endpoint learns of it before the other."""
    for _ in range(100):
        if target in ends:
            return ends.pop(target)
        await asyncio.sleep(0.05)
    return "not closed"


def tls():
    """With INTEROP_TLS, the directory of the certificates, the server uses TLS."""
    directory = os.environ.get("INTEROP_TLS")
    if not directory:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(f"{directory}/chain.pem", f"{directory}/key.pem")
    return context


async def main():
    context = tls()
    server = await serve(
        talk,
        "127.0.0.1",
        0,
        compression=None,
        ping_interval=None,
        ssl=context,
        select_subprotocol=choose_subprotocol,
        process_request=refuse_or_compress,
        process_response=add_headers,
    )
    port = server.sockets[0].getsockname()[1]
    print(f"listening on {'wss' if context else 'ws'}://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


asyncio.run(main())
