"""What the client and the server on Python's websockets share about compression."""

from urllib.parse import parse_qsl


def parse(query):
    """The arguments of a factory of websockets for parameters with `&` between them."""
    arguments = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        arguments[name] = int(value) if value else True
    return arguments


def describe_parameters(parameters):
    """What was agreed on, in the words that all ends have for it."""
    def end(name):
        bits = parameters.get(f"{name}_max_window_bits", 15)
        resets = parameters.get(f"{name}_no_context_takeover", False)
        return f"{name} {bits} {'reset' if resets else 'kept'}"

    return f"{end('server')}, {end('client')}"


def describe(socket, local, remote):
    """What a connection agreed on; `local` and `remote` are "server" and "client" or reverse."""
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
    """Counts the messages that come compressed; what it returns says how many they were."""
    count = 0
    for deflate in socket.protocol.extensions:
        def decode(frame, *, max_size=None, decode=deflate.decode):
            nonlocal count
            count += frame.rsv1
            return decode(frame, max_size=max_size)

        deflate.decode = decode
    return lambda: count
