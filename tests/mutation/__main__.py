"""Whether the tests of the core notice when the core is changed.

    python -m tests.mutation [FILE...] [--seconds 1] [--again PRINTED] [--list] [--all]

Changes one thing at a time in a copy of src/mip6/core, or of some files of it, and
runs those tests of tests/core and tests/conformance that reach the line.  Prints every
change that no test noticed, and the table of docs/mutation.md.  Changes that make no
difference are listed in docs/mutation.toml, with the reason, and left out.
"""

import argparse
import importlib
import os
import re
import shutil
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings

from .changes import Mutant, mutants
from .trials import CORE, Coverage, imported, survives_import

ROOT = Path(__file__).parent.parent.parent
LISTED = ROOT / "docs/mutation.toml"
WITHOUT_LINE = re.compile(r":\d+(?=: )")


def listed(path: Path) -> dict[tuple[str, str, str], str]:
    """The changes that make no difference, each with why."""
    return {
        (name, function, change): one["why"]
        for name, functions in tomllib.loads(path.read_text()).items()
        for function, several in functions.items()
        for one in several
        for change in one["changes"]
    }


def copied(to: Path) -> None:
    for name in ("src", "tests", "docs", "pyproject.toml"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, to / name)
    # In place of the checkout, which is installed, too.
    sys.path[:] = [str(to), str(to / "src"), *(p for p in sys.path if p != str(ROOT))]
    os.chdir(to)
    for module in (to / "src/mip6/wire").glob("*.py"):  # what does not change
        importlib.import_module(f"mip6.wire.{module.stem}")


def survivors(some: list[Mutant], seconds: float) -> Iterator[Mutant]:
    settings.register_profile(
        "mutation", derandomize=True, database=None, deadline=None,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="mip6-mutation-") as directory:
        copied(Path(directory))
        try:
            coverage = Coverage()
            again = []
            for mutant, survived in imported(some, coverage, seconds):
                if survived and mutant.is_inside:
                    yield mutant
                elif survived:
                    again.append(mutant)
            for mutant in again:
                if survives_import(mutant, coverage):
                    yield mutant
        finally:
            os.chdir(ROOT)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="*", default=["*.py"], help="of src/mip6/core")
    parser.add_argument("--list", action="store_true", help="run nothing")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="of tests for each, the likeliest"
    )
    parser.add_argument(
        "--again", type=Path, help="only those that this file has, printed by a run"
    )
    parser.add_argument("--all", action="store_true", help="the listed ones, too")
    arguments = parser.parse_args()
    found = [
        path for name in arguments.file for path in sorted((ROOT / CORE).glob(name))
    ]
    files = dict.fromkeys(found)  # in the order they are named
    every = [mutant for file in files for mutant in mutants(file)]
    known = listed(LISTED)
    if arguments.again:
        printed = {WITHOUT_LINE.sub("", one) for one in arguments.again.open()}
        every = [one for one in every if WITHOUT_LINE.sub("", f"{one}\n") in printed]
    tried = [one for one in every if arguments.all or one.key not in known]
    if arguments.list:
        print(*tried, sep="\n")
        return 0
    count = Counter(one.file for one in every)
    skipped = count - Counter(one.file for one in tried)
    survived: Counter[str] = Counter()
    unknown = 0
    for mutant in survivors(tried, arguments.seconds):
        survived[mutant.file] += 1
        unknown += mutant.key not in known
        print(mutant, flush=True)
    print("| file | changes | noticed | no difference | survived |")
    print("|---|---:|---:|---:|---:|")
    for name in (*sorted(count), "all"):
        numbers = [
            which.total() if name == "all" else which[name]
            for which in (count, skipped, survived)
        ]
        noticed = numbers[0] - numbers[1] - numbers[2]
        print(f"| `{name}` | {numbers[0]} | {noticed} | {numbers[1]} | {numbers[2]} |")
    there = {one.key for file in files for one in mutants(file)}
    gone = {key for key in known if key[0] in count} - there
    for key in sorted(gone):
        print("listed, but no such change any more:", *key)
    return 1 if unknown or gone else 0


if __name__ == "__main__":
    sys.exit(main())
