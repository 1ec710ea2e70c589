"""The parts that can be measured, by name, in the order of the report."""

from . import broadcast, build, codec, deflate, echo, idle, instructions, kernels, latency

PARTS = {
    "codec": codec,
    "instructions": instructions,
    "kernels": kernels,
    "echo": echo,
    "idle": idle,
    "deflate": deflate,
    "broadcast": broadcast,
    "latency": latency,
    "build": build,
}


def rounds_of(name, asked):
    """Returns the number of rounds. Some parts have a fixed number."""
    return getattr(PARTS[name], "ROUNDS", asked)
