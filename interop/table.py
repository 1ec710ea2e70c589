"""Makes docs/interop.md of the logs of a run: table.py write|check LOGS VERSIONS

LOGS is the directory with a directory for each combination, and VERSIONS a file with a line for each
peer, as `interop/run` prints them. `check` compares everything but the versions.
"""

import pathlib
import re
import sys
import textwrap

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "interop.md"

# The peers in the order of the columns, with the role of ours and the name to show.
COLUMNS = [
    ("chromium", "server", "Chromium"),
    ("undici", "server", "undici"),
    ("node", "server", "ws"),
    ("node", "client", "ws"),
    ("python", "server", "websockets"),
    ("python", "client", "websockets"),
    ("libcurl", "server", "libcurl"),
    ("tungstenite", "server", "tungstenite"),
    ("tungstenite", "client", "tungstenite"),
    ("fastwebsockets", "server", "fastwebsockets"),
    ("fastwebsockets", "client", "fastwebsockets"),
]
PROXIES = [("nginx", "nginx"), ("haproxy", "HAProxy, HTTP"), ("haproxy-tcp", "HAProxy, TCP")]

# Which scenarios share a row. Those that no pattern matches have rows of their own.
ROWS = [
    (r"(text|binary) of \d+ bytes", r"\1, 0 bytes to 1 MiB"),
    (r"unicode text.*", "text with characters of one to four bytes"),
    (r"fragmented binary sent, a ping between", "fragments sent, a ping between"),
    (r"fragmented text sent", "fragments sent"),
    (r"fragmented text received", "fragments received"),
    (r"ping (of 125 bytes )?answered", "ping sent"),
    (r"a certificate of an unknown authority is refused", "wss: a certificate of an unknown authority refused"),
    (r"a page of another origin is refused", "page of another origin refused"),
    (r"deflate offer .*", "deflate: agreements"),
    (r"deflate( of each message)?: \d+ bytes", "deflate: 0 bytes to 1 MiB"),
    (r"deflate of each message: (.*)", r"deflate: \1"),
]

INTRODUCTION = """\
# Interoperability

The command `interop/run --write` runs everything on this page and writes the page. Each ✓ stands for scenarios that
passed with TLS and without: with the shells on tokio and on threads and, where ours is the server, also with a server of
axum over `sansocket-axum`. [interop/README.md](../interop/README.md) describes what the scenarios do, what the servers
answer, and what you need to run them. Conformance is tested with the Autobahn test suite, all of whose cases pass: see
[autobahn/README.md](../autobahn/README.md).

"""


def main():
    how, logs, versions = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    page = make_page(logs, versions.read_text())
    if how == "write":
        PAGE.write_text(page)
    elif without_versions(PAGE.read_text()) != without_versions(page):
        made = logs / "interop.md"
        made.write_text(page)
        sys.exit(f"docs/interop.md does not show what was run; see the difference to {made}, "
                 "and run interop/run --write")


def without_versions(page):
    before, versions, after = re.split(r"(?s)(## Versions.*?)(?=## )", page, maxsplit=1)
    return before + after


def make_page(logs, versions):
    page = INTRODUCTION
    page += "## Versions\n\n| | |\n|---|---|\n"
    for line in versions.splitlines():
        page += "| {} | {} |\n".format(*line.split(": ", 1))
    page += "\n" + peers_table(logs)
    page += "\n" + proxies_table(logs)
    page += "\n" + requests_list(logs)
    return page


def peers_table(logs):
    notes, rows, cells = [], [], []
    for peer, ours, _ in COLUMNS:
        passed, skipped = read(logs, peer, ours)
        column = {}
        for name in passed:
            row = row_of(name)
            column[row] = column.get(row, 0) + 1
        cells.append((column, skipped))
        rows += [*column, *(row_of(name) for name in skipped if name != "deflate")]
    rows = sorted(dict.fromkeys(rows), key=lambda row: (row.startswith("deflate"), rank(row)))
    text = "## Clients and servers\n\nThe client is named on top, and the server below it.\n\n"
    clients = [name if ours == "server" else "ours" for _, ours, name in COLUMNS]
    servers = [name if ours == "client" else "ours" for _, ours, name in COLUMNS]
    text += "| client: | " + " | ".join(clients) + " |\n"
    text += "|---" + "|:-:" * len(COLUMNS) + "|\n"
    text += "| **server:** | " + " | ".join(f"**{server}**" for server in servers) + " |\n"
    for row in rows:
        line = [cell(row, column, skipped, notes) for column, skipped in cells]
        text += f"| {row} | " + " | ".join(line) + " |\n"
    text += "\nA dash means that the peer can't do this, or that its interface can't express it; the notes say why. An\n"
    text += "empty cell means that the peer's programs in `interop/` don't try it.\n\n"
    for number, note in enumerate(notes, 1):
        note = re.sub("^(the|once)", lambda word: word[0].capitalize(), note)
        text += f"{number}. {note}.\n"
    return text


def cell(row, column, skipped, notes):
    if row in column:
        return f"✓ {column[row]}" if row == "deflate: agreements" else "✓"
    for name, why in skipped.items():
        if row_of(name) == row or row.startswith("deflate") and name == "deflate":
            if why not in notes:
                notes.append(why)
            return f"– ({notes.index(why) + 1})"
    return ""


def proxies_table(logs):
    text = "## Behind proxies\n\n"
    text += "The scenarios above that our client runs pass behind these proxies too, with our server and the\n"
    text += "configurations of [deploying.md](deploying.md). In addition:\n\n"
    ours = {row_of(name) for name in read(logs, "node", "client")[0]}
    for proxy in ("nginx", "haproxy"):
        missing = ours - {row_of(name) for name in read(logs, proxy, "server")[0]}
        if missing:
            sys.exit(f"not run behind {proxy}: " + ", ".join(sorted(missing)))
    columns = []
    for kind, _ in PROXIES:
        passed, _ = read(logs, kind.partition("-")[0], "server")
        prefix = f"{kind}: "
        columns.append([name[len(prefix):] for name in passed if name.startswith(prefix)])
    text += "| | " + " | ".join(name for _, name in PROXIES) + " |\n"
    text += "|---" + "|:-:" * len(PROXIES) + "|\n"
    for row in dict.fromkeys(row for column in columns for row in column):
        marks = ["✓" if row in column else "" for column in columns]
        text += f"| {row} | " + " | ".join(marks) + " |\n"
    passed, _ = read(logs, "haproxy", "server")
    addresses = [name for name in passed if re.match("PROXY|X-Forwarded-For|without a proxy", name)]
    addresses = "The server also sees the address of curl itself in these cases: " + "; ".join(addresses) + "."
    return text + "\n" + textwrap.fill(addresses, 118) + "\n"


def requests_list(logs):
    passed, _ = read(logs, "curl", "server")
    requests = "In each of these cases, the server's response is the expected one, byte by byte: " + "; ".join(passed) + "."
    return "## Requests of curl\n\n" + textwrap.fill(requests, 118) + "\n"


def row_of(name):
    for pattern, row in ROWS:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, row, name)
    return name


def rank(row):
    """The order of our client's scenarios is that of the rows; others follow."""
    order = ["text,", "binary,", "text with", "Blob", "fragments sent", "fragments sent, a", "fragments received",
             "ping sent", "ping received", "100 messages", "close sent", "close without a reason",
             "close without a code", "close sent behind", "close received", "connection dropped",
             "subprotocol", "only", "no subprotocol", "cookies", "refused", "page", "wss", "over HTTP/2", "deflate: agreements", "deflate:"]
    matching = [index for index, start in enumerate(order) if row.startswith(start)]
    return (max(matching, default=len(order)), row)


def read(logs, peer, ours):
    """Returns the scenarios that passed in every combination, and those left out, with the reasons."""
    passed, skipped = None, {}
    directories = sorted(logs.glob(f"{peer}-{ours}-*"))
    if not directories:
        sys.exit(f"there are no results of {peer}, in which ours is the {ours}")
    for directory in directories:
        lines = (directory / "client.log").read_text().splitlines()
        names = dict.fromkeys(line[3:] for line in lines if line.startswith("ok "))
        if passed is None:
            passed = names
        elif peer in ("haproxy", "chromium"):
            # Some of their scenarios are of one layer alone. A scenario that fails ends the run before.
            passed = {**passed, **names}
        else:
            passed = {name: None for name in passed if name in names}
        for line in lines:
            if line.startswith("skip "):
                name, why = re.fullmatch(r"skip (.*?): (?=[^:]*$)(.*)", line).groups()
                skipped[name] = why
    return passed, skipped


main()
