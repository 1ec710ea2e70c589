"""The cost of building an echo server on tokio: time, packages, size."""

import resource
import shutil
import subprocess
import tempfile
from pathlib import Path

from ..measured import Table, progress
from ..programs import ROOT, facts, is_ours, packages, target

NEEDS = ("strip",)
ROUNDS = 1
COLUMNS = ["processor time, s", "packages", "stripped binary, KiB"]


def measure(_run):
    table = Table("Building the echo server", "", COLUMNS)
    table.notes.append(
        "A clean release build with fat LTO: the processor time of all jobs, and the number of "
        "packages without those of this comparison. The program is the same for every library, and "
        "includes tokio. It is built without compression if the library can leave compression out; "
        "sansocket also with it."
    )
    builds = builds_of(packages())
    for number, (name, package, binary, features) in enumerate(builds, 1):
        progress(table.title, f"{name}, {number} of {len(builds)}")
        try:
            seconds, size, compresses = build(package, binary, features)
            row = f"{name} (compression)" if compresses else name
            figures = seconds, count_packages(package, features), size / 1024
        except subprocess.CalledProcessError as error:
            row = " ".join([name, *features])
            for column in COLUMNS:
                table.fail(row, column, error.stderr)
            continue
        for column, figure in zip(COLUMNS, figures):
            table.add(row, column, figure)
    return [table]


def builds_of(packages):
    """Returns the row, package, program and features of each build."""
    return sorted(
        (binary.removesuffix("-echo").replace("limits", "raw TCP (tokio)"), package, binary, features)
        for package, (binaries, known) in packages.items()
        for binary in binaries if binary.endswith("-echo") and binary != "limits-epoll-echo"
        for features in [(), *[("--features=deflate",)] * (is_ours(binary) and "deflate" in known)]
    )


def count_packages(package, features):
    """Counts the packages that are built, without those of this comparison."""
    command = [
        "cargo", "tree", "--package", package, "--no-default-features", *features,
        "--edges", "normal,build", "--prefix", "none",
    ]
    names = {line.removesuffix(" (*)") for line in run(command).splitlines()}
    return sum(not name.startswith(("serving ", "bench-")) for name in names)


def build(package, binary, features):
    """Returns the processor time, the size, and whether the program can compress."""
    directory = Path(tempfile.mkdtemp(prefix="build-", dir=target()))
    try:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(
            ["cargo", "build", "--quiet", "--release", "--no-default-features", *features,
             "--package", package, "--bin", binary, "--target-dir", directory],
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        path = directory / "release" / binary
        run(["strip", path])
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return seconds, path.stat().st_size, bool(facts(path).get("deflate"))
    finally:
        shutil.rmtree(directory)


def run(command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
