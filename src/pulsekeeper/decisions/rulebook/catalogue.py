"""Campaigns as files: a folder of JSON documents, one campaign or a list of them in each."""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pulsekeeper.decisions.rulebook.definitions import page
from pulsekeeper.decisions.rulebook.reading import read_campaign
from pulsekeeper.decisions.rules.campaigns import Campaign
from pulsekeeper.errors import Conflict, Fault, Invalid
from pulsekeeper.validation import decode_json

_MOST_BYTES = 1_048_576


def read_folder(folder: Path) -> tuple[Campaign, ...]:
    """All campaigns of the `*.json` files in a folder, or of one file. Raises `Invalid` with all their faults."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else [folder]
    if not files:
        raise Invalid(f"there is no *.json file in {folder}")
    campaigns: dict[str, Campaign] = {}
    faults: list[Fault] = []
    for file in files:
        for pointer, document in _documents(file, faults):
            try:
                campaign = read_campaign(document, taken=campaigns)
            except Invalid as error:
                faults += [Fault(f"{file}{pointer}{fault.pointer}", fault.detail) for fault in error.faults]
            else:
                campaigns[campaign.id] = campaign
    if faults:
        raise Invalid(f"nothing was applied, {len(faults)} fault{'s' * (len(faults) > 1)}", faults)
    return tuple(campaigns.values())


def write_folder(folder: Path, definitions: Mapping[str, bytes]) -> None:
    """A file for each campaign. The folder is made if need be; what is in a file of that name is lost.

    Raises `errors.Conflict`, and writes nothing, where other `*.json` files are in the folder: read together they would
    be other campaigns than these.
    """
    pages = {folder / f"{campaign_id}.json": page(text) for campaign_id, text in definitions.items()}
    if others := sorted(file.name for file in folder.glob("*.json") if file not in pages):
        raise Conflict(f"{folder} has other files, which would be applied as well: {_some(others)}")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in pages.items():
        file.write_bytes(text)


def _documents(file: Path, faults: list[Fault]) -> Iterator[tuple[str, object]]:
    try:
        content: object = decode_json(_bytes_of(file), Any, unknown="ignore")
    except OSError as error:
        faults.append(Fault(str(file), f"cannot be read: {error.strerror or error}"))
    except Invalid as error:
        faults += [Fault(f"{file}{fault.pointer}", fault.detail) for fault in error.faults] or [
            Fault(str(file), f"cannot be read: {error.detail}")
        ]
    else:
        yield from _each(content)


def _bytes_of(file: Path) -> bytes:
    """What is in it. Raises `OSError`, also for what is no file or has no end, such as a pipe or a device."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise OSError("it is not a regular file")
    with file.open("rb") as opened:
        content = opened.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise OSError(f"it is larger than {_MOST_BYTES} bytes")
    return content


def _each(content: object) -> Iterator[tuple[str, object]]:
    if isinstance(content, list):
        yield from ((f"/{index}", document) for index, document in enumerate(content))
    else:
        yield "", content


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
