"""RESULTS.md: the machine, the versions, the method, and the tables."""

import json
import re
import subprocess
from pathlib import Path

from compare import machine as of_peers

from .parts import BARE, CROWDS, OURS_STOMP, Figures
from .programs import rabbitmq, socket_io_directory

HEAD = """\
# Results

Written by `benches/realtime/run`. [README.md](README.md) explains how it measures.

![What a delivery costs, and what a subscriber holds](results.svg)

Each figure is the median of its rounds. Compare figures within a table only, because the tables were measured at
different moments.
"""


def markdown(figures):
    lines = [HEAD, *(f"- {line}" for line in figures["machine"])]
    lines.append(f"- Measured on {figures['date']} at {figures['commit']}: {figures['rounds']} rounds of "
                 f"{figures['seconds']:g} s, with a load average of {figures['load']:.1f} from other programs")
    for subscribers, fields in figures["fan-out"].items():
        lines += ["", *fan_out(f"One publisher, {many(int(subscribers))}", crowd(subscribers), Figures.from_json(fields))]
    for subscribers, fields in figures.get("nodes", {}).items():
        lines += ["", *nodes(subscribers, Figures.from_json(fields))]
    lines += ["", *idle(figures["subscribers"], Figures.from_json(figures["idle"]))]
    return "\n".join([*lines, ""])


def many(count):
    return "one subscriber" if count == 1 else f"{count:,} subscribers"


def crowd(subscribers):
    return next(it for it in CROWDS if it.subscribers == int(subscribers))


def fan_out(title, crowd, figures):
    lines = [
        f"## {title}", "",
        "CPU is that of the server, user and system, in µs for each delivery. "
        f"*Saturated* has {crowd.window} messages under way, *alone* one, and *steady* {crowd.rate} a second. "
        "The delays are from before a message is published until a subscriber has read it, in the steady rounds.", "",
        "|  | deliveries a second, saturated | CPU, saturated | CPU, alone | CPU, steady | p50, ms | p99, ms |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in figures.rows:
        lines.append("| " + " | ".join([row, *cells(figures, row)]) + " |")
    lines += [f"| {row} | failed: {error} | | | | | |" for row, error in figures.failed.items()]
    pairs = [(ours, bare) for ours, baselines in BARE.items() for bare in baselines]
    compared = [line for ours, bare in pairs if (line := beside(figures, ours, bare))]
    load = figures.median(OURS_STOMP, "load_cpu")
    if compared:
        lines += ["", *compared]
    if load:
        lines += ["", f"The load itself takes {microseconds(load)} µs for each delivery of STOMP, on another core."]
    return lines


def nodes(subscribers, figures):
    title = f"Two nodes over Redis, {many(int(subscribers))}"
    lines = fan_out(title, crowd(subscribers), figures)
    lines[2] += " CPU is that of both nodes and of Redis."
    return lines


def cells(figures, row):
    return [
        f"{figures.median(row, 'deliveries'):,.0f}",
        *(microseconds(figures.median(row, f"cpu_{load}")) for load in ("saturated", "alone", "steady")),
        *(f"{figures.median(row, part) / 1e6:.2f}" for part in ("p50", "p99")),
    ]


def beside(figures, ours, bare):
    said = []
    for load in ("saturated", "alone", "steady"):
        compared = figures.ratio(ours, bare, f"cpu_{load}")
        if compared is None:
            return None
        said.append(f"{compared.middle:.2f} ({compared.low:.2f}–{compared.high:.2f}) {load}")
    size = figures.median(ours, "bytes")
    return f"- {ours} : {bare}, {size:.0f} bytes each: {', '.join(said)}."


def idle(subscribers, figures):
    lines = [
        f"## {subscribers:,} idle subscribers", "",
        "What each adds to the server, in bytes, after it has got a message: resident memory, the proportional "
        "share of it, and what is allocated on the heap. The kernel's memory for its socket comes on top, which is the "
        "same for all. RabbitMQ has 1,000 at most, since to open more takes minutes.", "",
        "|  | resident | proportional | heap |", "| --- | ---: | ---: | ---: |",
    ]
    for row in figures.rows:
        figure = {column: figures.median(row, column) for column in ("rss", "pss", "heap")}
        shown = [f"{value:,.0f}" if value is not None else "" for value in figure.values()]
        lines.append("| " + " | ".join([row, *shown]) + " |")
    lines += [f"| {row} | failed: {error} | | |" for row, error in figures.failed.items()]
    return lines


def microseconds(nanoseconds):
    value = nanoseconds / 1000
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def machine():
    kernel = Path("/proc/sys/kernel/osrelease").read_text().strip()
    facts = [
        f"Processor: {of_peers.processor(Path('/proc/cpuinfo').read_text())}",
        f"Kernel: Linux {of_peers.release(kernel)}",
        f"Compiler: {output('rustc', '--version')}, one codegen unit, fat LTO, the system's allocator",
    ]
    if script := rabbitmq():
        version = re.search(r"rabbitmq_server-([0-9.]+)", str(script))
        erlang = output("erl", "-noshell", "-eval", 'io:put_chars(erlang:system_info(otp_release)), halt().')
        facts.append(f"RabbitMQ {version[1]} with Web STOMP, on Erlang/OTP {erlang}")
    package = socket_io_directory() / "node_modules/socket.io/package.json"
    if package.is_file():
        version = json.loads(package.read_text())["version"]
        facts.append(f"Socket.IO {version}, on Node {output('node', '--version')}")
    return facts


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
