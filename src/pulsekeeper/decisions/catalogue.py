"""Campaigns as files: a folder of JSON documents, one campaign or a list of them in each."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pulsekeeper.decisions.campaigns import Campaign
from pulsekeeper.decisions.checks import read_campaign
from pulsekeeper.errors import Fault, Invalid

_canonical = msgspec.json.Encoder(order="sorted")


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
                campaign = read_campaign(document)
            except Invalid as error:
                faults += [Fault(f"{file}{pointer}{fault.pointer}", fault.detail) for fault in error.faults]
                continue
            if campaign.id in campaigns:
                faults.append(Fault(f"{file}{pointer}/id", f"{campaign.id!r} is taken by another campaign here"))
            campaigns[campaign.id] = campaign
    if faults:
        raise Invalid(f"nothing was applied, {len(faults)} faults", faults)
    return tuple(campaigns.values())


def definition(campaign: Campaign) -> bytes:
    """A campaign as it is stored: canonical JSON, so that equal campaigns are equal texts."""
    return _canonical.encode(campaign)


def _documents(file: Path, faults: list[Fault]) -> Iterator[tuple[str, object]]:
    try:
        content = msgspec.json.decode(file.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        faults.append(Fault(str(file), f"cannot be read: {error}"))
        return
    if isinstance(content, list):
        yield from ((f"/{index}", document) for index, document in enumerate(content))
    else:
        yield "", content
