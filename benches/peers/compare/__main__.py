"""The command: measures the parts that are asked for, and writes the report."""

import argparse
import json
import resource
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from . import chart, repeated, report
from .measured import Table, progress
from .parts import PARTS
from .programs import ROOT, TARGET, ExternalServer, packages

RESULTS = ROOT.parent
OPEN_FILES = 11_000


def main():
    options = parse()
    check()
    kept = TARGET / "figures.json"
    sections = json.loads(kept.read_text()) if kept.exists() else {}
    if not options.kept:
        build()
    for name in [] if options.kept else options.parts or PARTS:
        arguments = {"external": options.server} if name in ("echo", "deflate") else {}
        tables = PARTS[name].measure(options.rounds, **arguments)
        sections[name] = {
            "date": date.today().isoformat(),
            "rounds": options.rounds,
            "commit": commit(),
            "tables": [table.to_json() for table in tables],
        }
        kept.write_text(json.dumps(sections))
    print(file=sys.stderr)
    sections = {name: sections[name] for name in PARTS if name in sections}
    tables = tables_of(sections)
    text = report.markdown(sections, tables)
    print(text)
    if options.against:
        earlier = tables_of(json.loads(options.against.read_text()))
        print("\n".join(repeated.report(earlier, tables)))
    if options.write:
        (RESULTS / "RESULTS.md").write_text(text)
        (RESULTS / "results.svg").write_text(chart.svg(tables))


def commit():
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


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
        description="Compares sansocket with its peers. All parts take about half an hour on two "
        "quiet cores. Figures of parts that are not asked for are kept from the last run.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="parts:\n" + "\n".join(f"  {name:14}{part.__doc__.splitlines()[0]}" for name, part in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", type=part, help="what to measure; all if none is named")
    parser.add_argument("--rounds", type=rounds, default=20, help="rounds of each comparison (20)")
    parser.add_argument("--write", action="store_true", help="write benches/RESULTS.md and results.svg")
    parser.add_argument(
        "--server", action="append", default=[], metavar="NAME=PORT,PID", type=external,
        help="a server of your own, in any language, that joins the parts echo and deflate",
    )
    parser.add_argument("--kept", action="store_true", help="measure nothing: report what was kept")
    parser.add_argument(
        "--against", metavar="FIGURES", type=Path,
        help=f"say which rows lie in another order than in an earlier run, of which "
        f"{TARGET.name}/figures.json was kept",
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


def check():
    # Servers of 5,000 connections inherit it.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < OPEN_FILES:
        sys.exit(f"{most} open files are allowed, {OPEN_FILES} are needed: see 'ulimit -Hn'")
    for program, remedy in (
        ("cargo", "install Rust"),
        ("taskset", "install util-linux"),
        ("valgrind", "install valgrind"),
        ("strip", "install binutils"),
    ):
        if not shutil.which(program):
            sys.exit(f"benches/peers/run needs {program}: {remedy}")


main()
