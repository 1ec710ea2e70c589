"""Describes the machine of a run. Figures keep the description of their own machine."""

import os
import platform
import subprocess
import tomllib
from pathlib import Path

from .programs import ROOT


def facts():
    """Returns lines for the report: processor, kernel, compiler, libraries."""
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True)
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    return [
        f"Processor: {processor(Path('/proc/cpuinfo').read_text())}",
        f"Kernel: {platform.system()} {release(platform.release())}",
        f"Compiler: {rustc.stdout.strip()}, fat LTO, {flags(os.environ, configurations())}",
        f"Libraries: {libraries(lock)}",
    ]


def commit():
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def processor(cpuinfo):
    model, cores, flags = "unknown", 0, set()
    for line in cpuinfo.splitlines():
        field, _, value = line.partition(":")
        if field.strip() == "processor":
            cores += 1
        elif field.strip() == "model name":
            model = value.strip()
        elif field.strip() == "flags":
            flags = set(value.split())
    simd = [name for name in ("sse2", "avx2", "avx512bw") if name in flags]
    return ", ".join([model, f"{cores} cores", *simd])


def release(text):
    """Omits the part after the first dash, which names the builder."""
    return text.partition("-")[0]


def configurations():
    """Returns the configuration files that cargo reads, those nearest to the programs first."""
    home = Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo"))
    folders = [*(folder / ".cargo" for folder in (ROOT, *ROOT.parents)), home]
    files = [folder / name for folder in folders for name in ("config.toml", "config")]
    return [tomllib.loads(file.read_text()) for file in files if file.is_file()]


def flags(environment, configurations):
    """Describes additional compiler flags, which cargo takes from the environment or from files."""
    found = [
        value.replace("\x1f", " ") for name, value in sorted(environment.items())
        if value and (name in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS")
                      or name.startswith("CARGO_TARGET_") and name.endswith("_RUSTFLAGS"))
    ]
    for configuration in configurations:
        for section in (configuration.get("build", {}), *configuration.get("target", {}).values()):
            value = section.get("rustflags", [])
            found.append(value if isinstance(value, str) else " ".join(value))
    found = [value for value in found if value]
    return f"flags: {'; '.join(found)}" if found else "no flags for the processor"


def libraries(lock):
    """Lists the versions of the compared libraries."""
    found = {package["name"]: package["version"] for package in lock}
    benched = sorted(name.removeprefix("bench-") for name in found if name.startswith("bench-"))
    known = [f"{name} {found[name]}" for name in benched if name in found]
    return f"{', '.join(known)}; tokio {found['tokio']}"
