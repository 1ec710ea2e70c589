"""The command: measures the requested parts, and writes the report."""

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
OPEN_FILES = {"open files": 5_000, "many open files": 11_000}


def main():
    options = parse()
    measured = [] if options.kept else options.parts or list(PARTS)
    check({need for name in measured for need in PARTS[name].NEEDS})
    kept = target() / "figures.json"
    sections = json.loads(kept.read_text()) if kept.exists() else {}
    # Figures of an earlier version do not name their machine.
    sections = {name: section for name, section in sections.items() if "machine" in section}
    if options.write and (missing := missing_parts(sections, measured)):
        missing = " ".join(missing)
        sys.exit(f"--write would drop the parts that are not in {kept}: measure {missing} too")
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
        # The kept figures may be those of the earlier run itself.
        later = {name: tables[name] for name in measured or tables}
        print("\n".join(repeated.report(earlier, later)))
    if options.write:
        (RESULTS / "RESULTS.md").write_text(text)
        (RESULTS / "results.svg").write_text(chart.svg(tables))


def missing_parts(kept, measured):
    return [name for name in PARTS if name not in kept and name not in measured]


def section(name, options):
    """Measures a part: its tables, and what the report says about the run."""
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
    """Builds each package separately: together, their dependencies would share all features."""
    for name in packages():
        progress("Building the programs", name)
        command = ["cargo", "build", "--quiet", "--release", "--package", name]
        subprocess.run(command, cwd=ROOT, check=True)


def parse():
    parser = argparse.ArgumentParser(
        prog="benches/peers/run",
        description="Compares sansocket with its peers. All parts together take about 20 minutes "
        "with building, on two quiet cores. For parts that you do not request, the figures of the "
        "last run are kept.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:14}{part.__doc__.splitlines()[0]}" for name, part in PARTS.items()),
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", type=part,
        help="what to measure; all parts if you name none",
    )
    parser.add_argument(
        "--rounds", type=rounds, default=9, help="number of rounds of each comparison (9)",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1_000_000),
        help="seed of the order in which everything is measured; random by default",
    )
    parser.add_argument(
        "--write", action="store_true",
        help="write benches/RESULTS.md and results.svg; this needs figures of all parts",
    )
    parser.add_argument(
        "--server", action="append", default=[], metavar="NAME=PORT,PID", type=external,
        help="a server of your own, in any language, that joins the parts echo and deflate; all its "
        "threads are moved to the measured core, and stay there",
    )
    parser.add_argument(
        "--kept", action="store_true", help="measure nothing: report the kept figures",
    )
    parser.add_argument(
        "--against", metavar="FIGURES", type=Path,
        help="report which rows are in another order than in an earlier run; FIGURES is a copy of "
        "the figures.json of that run, from cargo's target directory",
    )
    return parser.parse_args()


def part(text):
    if text not in PARTS:
        raise argparse.ArgumentTypeError(f"unknown part {text!r}; the parts are {', '.join(PARTS)}")
    return text


def rounds(text):
    # Fewer rounds give no 95 % interval.
    if not text.isdigit() or int(text) < 6:
        raise argparse.ArgumentTypeError("must be at least 6")
    return int(text)


def external(text):
    name, _, rest = text.partition("=")
    port, _, pid = rest.partition(",")
    if not (port.isdigit() and pid.isdigit()):
        raise argparse.ArgumentTypeError("must have the form NAME=PORT,PID")
    return ExternalServer(name, int(port), int(pid))


def check(needs):
    """Exits with a message if something is missing that the chosen parts need."""
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
            "echo, deflate, broadcast and latency need two cores, one for the server and one for the load "
            f"generator; on one core you can run {alone}"
        )
    # Servers with many connections inherit this limit.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    files = max((OPEN_FILES[need] for need in needs if need in OPEN_FILES), default=0)
    if most != resource.RLIM_INFINITY and most < files:
        sys.exit(f"{files} open files are needed, but {most} are allowed: see 'ulimit -Hn'")


if __name__ == "__main__":
    main()
