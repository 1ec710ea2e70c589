"""Compression code shared by the client and the server that use Python's websockets."""

from urllib.parse import parse_qsl


def parse(query):
    """Parses parameters separated by `&` into arguments of a factory of websockets."""
    arguments = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        arguments[name] = int(value) if value else True
    return arguments


def describe_parameters(parameters):
    """Describes the agreed parameters in the words that all programs of these tests use."""
    def end(name):
        bits = parameters.get(f"{name}_max_window_bits", 15)
        resets = parameters.get(f"{name}_no_context_takeover", False)
        return f"{name} {bits} {'reset' if resets else 'kept'}"

    return f"{end('server')}, {end('client')}"


def describe(socket, local, remote):
    """Describes a connection's agreement.

    `local` and `remote` are "server" and "client" or vice versa.
    """
    if not socket.protocol.extensions:
        return "none"
    [deflate] = socket.protocol.extensions
    return describe_parameters({
        f"{local}_max_window_bits": deflate.local_max_window_bits,
        f"{local}_no_context_takeover": deflate.local_no_context_takeover,
        f"{remote}_max_window_bits": deflate.remote_max_window_bits,
        f"{remote}_no_context_takeover": deflate.remote_no_context_takeover,
    })


def count_compressed(socket):
    """Counts the messages that arrive compressed. Returns a function that returns their number."""
    count = 0
    for deflate in socket.protocol.extensions:
        def decode(frame, *, max_size=None, decode=deflate.decode):
            nonlocal count
            count += frame.rsv1
            return decode(frame, max_size=max_size)

        deflate.decode = decode
    return lambda: count
