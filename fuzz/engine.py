"""One target under Atheris (libFuzzer), in a process of its own, which it ends.

python -m fuzz.engine NAME [FLAG OF LIBFUZZER ...] DIRECTORY ...
"""

import sys

import atheris

with atheris.instrument_imports(include=["mip6", "fuzz"], enable_loader_override=False):
    from fuzz.targets import target

    run = target(sys.argv[1])

if __name__ == "__main__":
    # To merge, libFuzzer hands its first word to a shell.
    itself = f"{sys.executable} -m fuzz.engine {sys.argv[1]}"
    atheris.Setup([itself, *sys.argv[2:]], run)
    atheris.Fuzz()
