"""Every frame of every capture, decoded as tshark decodes it."""

import json
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.decoded import Line, in_words_of_tshark
from tests.support.tshark import CAPTURES, ESP_KEYS, PCAP, Fields, dissected

from mip6.cli.main import main

GOLDEN = Path(__file__).parent / "tshark.json"
SCHEMA = Path(__file__).parents[2] / "src/mip6/schema/decode.json"
DATA = {"128", "129", "143"}
"""Echo requests and replies, and listener reports: two thirds of all frames, of which
tshark has nothing to say but their addresses.  They are not stored."""
SIGNALLING = {"134", "144", "145", "146", "147"}

every_capture = pytest.mark.parametrize("capture", CAPTURES)
with_tshark = pytest.mark.skipif(
    shutil.which("tshark") is None, reason="needs tshark (Debian package tshark)"
)


def decode(
    capsys: pytest.CaptureFixture[str], capture: str, *more: str
) -> tuple[list[Line], str]:
    """The lines of `mip6 decode --json`, and what it said besides."""
    path = str(PCAP / f"{capture}.pcap")
    assert main(["decode", "--json", "--key", ESP_KEYS, *more, path]) == 0
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


@cache
def golden() -> dict[str, dict[int, Fields]]:
    stored: dict[str, dict[str, Fields]] = json.loads(GOLDEN.read_text())
    return {
        capture: {int(number): fields for number, fields in frames.items()}
        for capture, frames in stored.items()
    }


def to_be_stored(frames: list[Fields]) -> dict[int, Fields]:
    return {
        number: fields
        for number, fields in enumerate(frames, 1)
        if fields.get("icmpv6.type", [""])[0] not in DATA
    }


def same(line: Line, fields: Fields) -> bool:
    """Whether a line says what tshark says."""
    if "error" in line:
        # Only the other implementation's solicitations from the unspecified address.
        wrong = line["error"] == "checksum" and line["offset"] == 42
        return wrong and fields["icmpv6.checksum.status"] == ["0"]
    said = in_words_of_tshark(line)
    if said != fields:
        pytest.fail(f"frame {line['frame']}: {said} is not {fields}")
    return True


@with_tshark
def test_tshark_says_what_is_stored(request: pytest.FixtureRequest) -> None:
    frames = {capture: to_be_stored(dissected()[capture]) for capture in CAPTURES}
    if request.config.getoption("--rewrite"):
        GOLDEN.write_text(_readable(frames))
        golden.cache_clear()
    assert golden() == frames


def _readable(captures: dict[str, dict[int, Fields]]) -> str:
    """JSON with a line per frame."""
    parts = []
    for capture, frames in captures.items():
        lines = [f'  "{n}": {json.dumps(fields)}' for n, fields in frames.items()]
        parts.append(f' "{capture}": {{\n' + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


@every_capture
def test_decodes_as_stored(capsys: pytest.CaptureFixture[str], capture: str) -> None:
    lines, _ = decode(capsys, capture, "--all")
    stored = golden()[capture]
    compared = [line for line in lines if line["frame"] in stored]
    assert [line["frame"] for line in compared] == list(stored)
    assert all(same(line, stored[line["frame"]]) for line in compared)


@with_tshark
@every_capture
def test_decodes_as_tshark_does(
    capsys: pytest.CaptureFixture[str], capture: str
) -> None:
    frames = dissected()[capture]
    lines, _ = decode(capsys, capture, "--all")
    assert [line["frame"] for line in lines] == list(range(1, len(frames) + 1))
    assert all(map(same, lines, frames))


@every_capture
def test_without_all_exactly_mobile_ipv6_is_shown(
    capsys: pytest.CaptureFixture[str], capture: str
) -> None:
    lines, said = decode(capsys, capture)
    assert [line["frame"] for line in lines] == [
        number
        for number, fields in golden()[capture].items()
        if "mip6.mhtype" in fields or SIGNALLING & {fields["icmpv6.type"][0]}
    ]
    assert not any("error" in line for line in lines)
    assert said == ("" if lines else "mip6 decode: no Mobile IPv6 packets\n")


@every_capture
def test_lines_fit_the_schema(capsys: pytest.CaptureFixture[str], capture: str) -> None:
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    lines, _ = decode(capsys, capture, "--all")
    for line in lines:
        validator.validate(line)


@pytest.mark.skipif(shutil.which("editcap") is None, reason="needs editcap (tshark's)")
@pytest.mark.parametrize("form", ["pcapng", "nsecpcap", "pcap"])
def test_other_forms_of_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, form: str
) -> None:
    """As Wireshark's own tools write them; the times are the same too."""
    original, written = PCAP / "rr-cnbind-mn.pcap", tmp_path / "written"
    subprocess.run(["editcap", "-F", form, original, written], check=True)
    assert main(["decode", "--all", str(original)]) == 0
    expected = capsys.readouterr().out
    assert main(["decode", "--all", str(written)]) == 0
    assert capsys.readouterr().out == expected


def test_numbers_of_mobile_ipv6_messages_in_all_captures() -> None:
    """So that an empty comparison is noticed."""
    counts: Counter[str] = Counter()
    for frames in golden().values():
        for fields in frames.values():
            counts.update(
                f"mobility {type_}" for type_ in fields.get("mip6.mhtype", ())
            )
            types = SIGNALLING & set(fields.get("icmpv6.type", ()))
            counts.update(f"icmpv6 {type_}" for type_ in types)
    assert counts == {
        "mobility 0": 4,
        "mobility 1": 7,
        "mobility 2": 6,
        "mobility 3": 4,
        "mobility 4": 6,
        "mobility 5": 48,
        "mobility 6": 36,
        "icmpv6 134": 79,
        "icmpv6 144": 2,
        "icmpv6 145": 2,
        "icmpv6 146": 12,
        "icmpv6 147": 8,
    }
