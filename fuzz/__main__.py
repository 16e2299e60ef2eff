"""Run the targets for a while each, some of them at once.

    python -m fuzz [TARGET ...] [--seconds 60] [--jobs 2]
    python -m fuzz [TARGET ...] --keep

What is of interest collects in .fuzz/NAME, beside what fuzz/corpus/NAME.hex has;
`--keep` writes the smallest part of it that takes the same ways into that file, below
the findings there.  A finding is printed as a line for it, with the traceback.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha1
from itertools import pairwise
from pathlib import Path

from fuzz.targets import CORPUS, FOUND, NEEDS_ROOT, TARGETS, corpus

LENGTH_MAX = 1024
"""Octets of an input."""
KEPT_MAX = 150
"""Inputs that are kept of one target: of each length some, where there are more."""
SLOW_SECONDS = 10
"""One input that takes longer is a finding."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="of each target")
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="how many at once"
    )
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    names = arguments.targets or list(TARGETS)
    if unknown := set(names) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}: {', '.join(TARGETS)}")
    for name in [name for name in names if name in NEEDS_ROOT and os.geteuid()]:
        print(f"{name:13} left out: needs root")
        names.remove(name)
    if arguments.keep:
        for name in names:
            keep(name)
        return 0
    with ThreadPoolExecutor(max(1, arguments.jobs)) as threads:
        fine = list(threads.map(lambda name: run(name, arguments.seconds), names))
    return 0 if all(fine) else 1


def run(name: str, seconds: int) -> bool:
    """Whether nothing was found."""
    directory = FOUND / name
    directory.mkdir(parents=True, exist_ok=True)
    for octets in corpus(name):
        (directory / sha1(octets).hexdigest()).write_bytes(octets)
    for old in FOUND.glob(f"{name}-*"):
        old.unlink()
    flags = (
        f"-max_total_time={seconds}",
        f"-max_len={LENGTH_MAX}",
        f"-timeout={SLOW_SECONDS}",
        f"-artifact_prefix={FOUND}/{name}-",
        "-print_final_stats=1",
        "-verbosity=1",
    )
    done = engine(name, (*flags, str(directory)))
    output = done.stdout
    executed = re.search(r"number_of_executed_units: (\d+)", output)
    count = len(list(directory.iterdir()))
    said = [
        f"{name:13} {seconds:5} s  {executed[1] if executed else '?':>9} executions  "
        f"{count:5} inputs  {'nothing found' if not done.returncode else 'FINDING'}"
    ]
    if done.returncode:
        said.append(_reason(output))
        for finding in FOUND.glob(f"{name}-*"):
            said.append(f"for fuzz/corpus/{name}.hex: {finding.read_bytes().hex()}")
    print("\n".join(said), flush=True)  # in one piece, whatever else is running
    return done.returncode == 0


def keep(name: str) -> None:
    """Bring fuzz/corpus/NAME.hex up to date."""
    with tempfile.TemporaryDirectory(prefix="mip6-fuzz-") as directory:
        engine(
            name, ("-merge=1", f"-max_len={LENGTH_MAX}", directory, f"{FOUND}/{name}")
        )
        found = [file.read_bytes() for file in Path(directory).iterdir()]
    file = CORPUS / f"{name}.hex"
    header, *old = file.read_text().splitlines()
    noted = [
        line
        for before, line in pairwise([header, *old])
        if line.startswith("#") or (before.startswith("#") and before != header)
    ]
    ordered = sorted(found, key=lambda octets: (len(octets), octets))
    count = min(len(ordered), KEPT_MAX)
    kept = [ordered[n * len(ordered) // count] for n in range(count)]
    inputs = (octets.hex() for octets in kept if octets)
    lines = [header, *noted, *(line for line in inputs if line not in noted)]
    file.write_text("\n".join(lines) + "\n")
    print(f"{name:13} {len(kept)} of {len(found)} inputs kept")


def engine(name: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fuzz.engine", name, *arguments]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _reason(output: str) -> str:
    """The traceback, without what libFuzzer says around it."""
    start = output.find("Uncaught Python exception")
    end = output.find("SUMMARY: libFuzzer", start)
    return output[start:end] if start >= 0 else output[-2000:]


if __name__ == "__main__":
    sys.exit(main())
