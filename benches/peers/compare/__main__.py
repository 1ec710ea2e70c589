"""The command: measures the parts that are asked for, and writes the report."""

import argparse
import json
import random
import resource
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from . import chart, machine, repeated, report
from .measured import Run, Table, progress
from .parts import PARTS, rounds_of
from .programs import CORES, ROOT, ExternalServer, packages, target

RESULTS = ROOT.parent
OPEN_FILES = 5_000


def main():
    options = parse()
    measured = [] if options.kept else options.parts or list(PARTS)
    check({need for name in measured for need in PARTS[name].NEEDS})
    kept = target() / "figures.json"
    sections = json.loads(kept.read_text()) if kept.exists() else {}
    # An earlier version did not say on what it had measured.
    sections = {name: section for name, section in sections.items() if "machine" in section}
    if options.write and (missing := missing_parts(sections, measured)):
        sys.exit(f"--write would drop what is not in {kept}: measure {' '.join(missing)} too")
    if measured:
        build()
        print(f"seed {options.seed}", file=sys.stderr)
    for name in measured:
        sections[name] = section(name, options)
        kept.write_text(json.dumps(sections))
    print(file=sys.stderr)
    sections = {name: sections[name] for name in PARTS if name in sections}
    tables = tables_of(sections)
    text = report.markdown(sections, tables)
    print(text)
    if options.against:
        earlier = tables_of(json.loads(options.against.read_text()))
        # What was kept may be the earlier run itself.
        later = {name: tables[name] for name in measured or tables}
        print("\n".join(repeated.report(earlier, later)))
    if options.write:
        (RESULTS / "RESULTS.md").write_text(text)
        (RESULTS / "results.svg").write_text(chart.svg(tables))


def missing_parts(kept, measured):
    return [name for name in PARTS if name not in kept and name not in measured]


def section(name, options):
    """Measures a part: its tables, and all that is to be told of them."""
    start = time.monotonic()
    tables = PARTS[name].measure(Run(options.rounds, f"{options.seed}, {name}", options.server))
    return {
        "date": date.today().isoformat(),
        "rounds": rounds_of(name, options.rounds),
        "seconds": time.monotonic() - start,
        "seed": options.seed,
        "commit": machine.commit(),
        "machine": machine.facts(),
        "tables": [table.to_json() for table in tables],
    }


def tables_of(sections):
    return {
        name: [Table.from_json(fields) for fields in section["tables"]]
        for name, section in sections.items()
    }


def build():
    """Each package by itself: together their dependencies would share all features."""
    for name in packages():
        progress("Building the programs", name)
        command = ["cargo", "build", "--quiet", "--release", "--package", name]
        subprocess.run(command, cwd=ROOT, check=True)


def parse():
    parser = argparse.ArgumentParser(
        prog="benches/peers/run",
        description="Compares sansocket with its peers. All parts take about 30 minutes with building on two "
        "quiet cores. Figures of parts that are not asked for are kept from the last run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:14}{part.__doc__.splitlines()[0]}" for name, part in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", type=part, help="what to measure; all if none is named")
    parser.add_argument("--rounds", type=rounds, default=9, help="rounds of each comparison (9)")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000),
        help="the order in which everything is measured; another one in each run if it isn't given",
    )
    parser.add_argument(
        "--write", action="store_true",
        help="write benches/RESULTS.md and results.svg; needs figures of all parts",
    )
    parser.add_argument(
        "--server", action="append", default=[], metavar="NAME=PORT,PID", type=external,
        help="a server of your own, in any language, that joins the parts echo and deflate; all its "
        "threads are put on the core that is measured, and stay there",
    )
    parser.add_argument("--kept", action="store_true", help="measure nothing: report what was kept")
    parser.add_argument(
        "--against", metavar="FIGURES", type=Path,
        help="say which rows lie in another order than in an earlier run, of which figures.json, in "
        "cargo's target directory, was kept",
    )
    return parser.parse_args()


def part(text):
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"no part {text!r}, there are {', '.join(PARTS)}")
    return text


def rounds(text):
    # Of fewer no interval of 95 % can be told.
    if not text.isdigit() or int(text) < 6:
        raise argparse.ArgumentTypeError("at least 6")
    return int(text)


def external(text):
    name, _, rest = text.partition("=")
    port, _, pid = rest.partition(",")
    if not (port.isdigit() and pid.isdigit()):
        raise argparse.ArgumentTypeError("wanted is NAME=PORT,PID")
    return ExternalServer(name, int(port), int(pid))


def check(needs):
    """Ends with what is missing of that which the chosen parts need."""
    for program, remedy in (
        ("cargo", "install Rust"),
        ("taskset", "install util-linux"),
        ("valgrind", "install valgrind"),
        ("strip", "install binutils"),
    ):
        if program in {"cargo", *needs} and not shutil.which(program):
            sys.exit(f"benches/peers/run needs {program}: {remedy}")
    if "two cores" in needs and len(CORES) < 2:
        alone = " ".join(name for name, part in PARTS.items() if "two cores" not in part.NEEDS)
        sys.exit(
            "echo, deflate and broadcast need two cores, one for the server and one for its load; "
            f"on one core there are {alone}"
        )
    # Servers of 2,000 connections inherit it.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if "open files" in needs and most != resource.RLIM_INFINITY and most < OPEN_FILES:
        sys.exit(f"{most} open files are allowed, {OPEN_FILES} are needed: see 'ulimit -Hn'")


if __name__ == "__main__":
    main()
