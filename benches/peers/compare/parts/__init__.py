"""What can be measured, each by its name, in the order of the report."""

from . import broadcast, build, codec, deflate, echo, idle, instructions, kernels

PARTS = {
    "codec": codec,
    "instructions": instructions,
    "kernels": kernels,
    "echo": echo,
    "idle": idle,
    "deflate": deflate,
    "broadcast": broadcast,
    "build": build,
}


def rounds_of(name, asked):
    """Some parts always take as many rounds as they need."""
    return getattr(PARTS[name], "ROUNDS", asked)
