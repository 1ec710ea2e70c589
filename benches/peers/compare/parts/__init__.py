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
