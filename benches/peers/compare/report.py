"""RESULTS.md: on what machine, of which versions, by which command, and the tables."""

import platform
import subprocess
import tomllib
from pathlib import Path

from . import tables as rendering
from . import targets
from .programs import ROOT

HEAD = """\
# Results

Written by `benches/peers/run --write`; how it measures is said in
[peers/README.md](peers/README.md).

![sansocket beside its peers](results.svg)

How to read the tables: each cell is the median of its rounds, and the least of the libraries is
bold. *sansocket : best other* compares our best row with the best row of the others, round by round:
the median ratio and its 95 % interval. *A/A* is the same for two runs of the same sansocket
program; what lies within its spread is called undecided, and what differs by less than 0.5 % equal.
"failed" is a wrong answer or none. Of about twenty rows the best is chosen by the same rounds that it is
then compared in, which flatters it a little.
"""


def markdown(sections, tables):
    text = [HEAD, *machine(), "", *versions(), ""]
    text.append(targets.markdown([table for name in sections for table in tables[name]]))
    for name, section in sections.items():
        rounds = "" if name in ("instructions", "idle", "build") else f", {section['rounds']} rounds"
        measured = f"{section['date']}{rounds}, sansocket at {section.get('commit', 'unknown')}"
        text.append(f"*`benches/peers/run {name}`: {measured}*\n")
        text += [rendering.markdown(table) for table in tables[name]]
    return "\n".join(text)


def machine():
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    return [
        f"- Processor: {processor()}",
        f"- Kernel: {platform.system()} {platform.release()}",
        f"- Compiler: {rustc.stdout.strip()}, fat LTO, no flags for the processor",
    ]


def processor():
    model, cores, flags = "unknown", 0, set()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        field, _, value = line.partition(":")
        if field.strip() == "model name":
            model, cores = value.strip(), cores + 1
        elif field.strip() == "flags":
            flags = set(value.split())
    simd = [name for name in ("sse2", "avx2", "avx512bw") if name in flags]
    return f"{model}, {cores} cores, {', '.join(simd)}"


def versions():
    """The versions of the libraries that are compared, from the lock file."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    found = {package["name"]: package["version"] for package in lock}
    benched = sorted(
        package["name"].removeprefix("bench-")
        for package in lock if package["name"].startswith("bench-")
    )
    known = [f"{name} {found[name]}" for name in benched if name in found]
    return [f"- Libraries: {', '.join(known)}; tokio {found['tokio']}"]
