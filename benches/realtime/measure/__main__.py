"""The command line."""

import argparse
import json
import os
import shutil
import sys
from datetime import date

from compare import machine

from . import chart, parts, report
from .programs import (
    CORES, HERE, TARGET, Failed, build, rabbitmq, set_up_socket_io,
)


def main():
    options = parse()
    needs()
    build()
    if options.check:
        return parts.check()
    figures = measure(options)
    (TARGET / "figures.json").write_text(json.dumps(figures))
    text = report.markdown(figures)
    print(text)
    if not options.quick:
        (HERE / "RESULTS.md").write_text(text)
        (HERE / "results.svg").write_text(chart.svg(figures))


def measure(options):
    if options.kept:
        return json.loads((TARGET / "figures.json").read_text())
    crowds = parts.CROWDS[:2] if options.quick else parts.CROWDS
    subscribers = 1_000 if options.quick else parts.IDLE
    figures = {
        # What else runs on the machine.
        "load": os.getloadavg()[0],
        "date": date.today().isoformat(),
        "commit": machine.commit(),
        "machine": report.machine(),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "subscribers": subscribers,
        "idle": parts.idle(subscribers).to_json(),
        "fan-out": {},
    }
    for crowd in crowds:
        measured = parts.fan_out(crowd, options.rounds, options.seconds)
        figures["fan-out"][crowd.subscribers] = measured.to_json()
        # Whoever ends a long run has what was measured until then.
        (TARGET / "figures.json").write_text(json.dumps(figures))
    if parts.has_nodes():
        measured = parts.nodes(crowds, options.rounds, options.seconds)
        figures["nodes"] = {subscribers: it.to_json() for subscribers, it in measured.items()}
    # As it is read from a file.
    return json.loads(json.dumps(figures))


def needs():
    """Ends with a message if something is missing."""
    for program, remedy in (("cargo", "install Rust"), ("taskset", "install util-linux")):
        if not shutil.which(program):
            sys.exit(f"benches/realtime/run needs {program}: {remedy}")
    if len(CORES) < 2:
        print("There is one core for the servers and the load: the figures mean little.", file=sys.stderr)
    if not rabbitmq():
        print("RabbitMQ is left out: install rabbitmq-server", file=sys.stderr)
    if shutil.which("npm"):
        set_up_socket_io()
    else:
        print("Socket.IO is left out: install nodejs and npm", file=sys.stderr)


def parse():
    parser = argparse.ArgumentParser(
        prog="benches/realtime/run",
        description="Measures the real-time server beside others and beside bare writes, on loopback, and writes "
        "RESULTS.md and results.svg. It takes about 20 minutes, on two cores with nothing else to do.",
    )
    parser.add_argument("--rounds", type=int, default=7, help="how often everything is measured (7)")
    parser.add_argument("--seconds", type=float, default=2, help="how long each load lasts (2)")
    parser.add_argument("--quick", action="store_true",
                        help="few rounds with few subscribers, in two minutes; only prints the tables")
    parser.add_argument("--check", action="store_true", help="delivers some messages of each kind, and measures nothing")
    parser.add_argument("--kept", action="store_true", help="measures nothing: writes the tables of the last run")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = min(options.rounds, 3), min(options.seconds, 1)
    return options


if __name__ == "__main__":
    try:
        main()
    except Failed as error:
        sys.exit(f"benches/realtime/run: {error}")
