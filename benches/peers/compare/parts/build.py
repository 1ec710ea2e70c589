"""What it costs to build an echo server on tokio: time, packages, size."""

import os
import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..measured import Table, progress
from ..programs import ROOT, TARGET, packages

COLUMNS = ["processor time, s", "packages", "stripped binary, KiB"]


def measure(_rounds):
    table = Table("Building the echo server", "", COLUMNS)
    table.notes.append(
        "A clean release build with fat LTO, processor time of all jobs; packages other than those of "
        "this comparison. All are the same program around another library, tokio included."
    )
    programs = sorted(
        (binary, package)
        for package, binaries in packages().items()
        for binary in binaries
        if binary.endswith("-echo") and binary != "limits-epoll-echo"
    )
    for number, (binary, package) in enumerate(programs, 1):
        row = binary.removesuffix("-echo").replace("limits", "raw TCP (tokio)")
        progress(table.title, f"{row}, {number} of {len(programs)}")
        seconds, size = build(package, binary)
        for column, figure in zip(COLUMNS, (seconds, count_packages(package), size / 1024)):
            table.add(row, column, figure)
    return [table]


def count_packages(package):
    """How many packages are built for it, other than those of this comparison."""
    command = [
        "cargo", "tree", "--package", package, "--no-default-features", "--edges", "normal,build",
        "--prefix", "none",
    ]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = {line.removesuffix(" (*)") for line in lines.splitlines()}
    return sum(not name.startswith(("serving ", "bench-")) for name in names)


def build(package, binary):
    directory = Path(tempfile.mkdtemp(prefix="build-", dir=TARGET))
    try:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            ["cargo", "build", "--quiet", "--release", "--no-default-features",
             "--package", package, "--bin", binary, "--target-dir", directory],
            cwd=ROOT, check=True, env={**os.environ, "CARGO_TARGET_DIR": str(directory)},
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        path = directory / "release" / binary
        subprocess.run(["strip", path], check=True)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds, path.stat().st_size
    finally:
        shutil.rmtree(directory)
