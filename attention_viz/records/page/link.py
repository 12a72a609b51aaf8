"""The codec of links: the page's JSON as a URL fragment, which never reaches a server's log.

"#v2." and the sparse JSON, deflated, in URL-safe base64. Version 1, which had one flat list of
fields, is still read.
"""

import base64
import binascii
import json
import zlib
from typing import Any

from attention_viz.records.ablation import SETTINGS
from attention_viz.records.errors import BadInput
from attention_viz.records.page.checks import LONGEST_TEXT, short

SHARED, OWN_SETTINGS = "shared", "settings"  # sections of the page's JSON beside the views'
VERSION = 2
Sections = dict[str, dict[str, Any]]
_REMEDY = "Ask for the link again, or start from the page as it is."


def pack(sections: Sections) -> str:
    """ "#v2.…" of the page's JSON by section."""
    text = json.dumps(sections, separators=(",", ":"))
    packed = zlib.compress(text.encode(), 9)
    return f"#v{VERSION}." + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def unpack(fragment: str) -> Sections:
    """The page's JSON by section; its values are not looked at.

    Raises BadInput where the link is broken or of an unknown version.
    """
    version, _, body = fragment.removeprefix("#").partition(".")
    if version not in ("v1", "v2"):
        raise BadInput("This link was not made by this version of the page.", _REMEDY)
    try:
        data = _unpack(body)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise broken(error) from error
    if not isinstance(data, dict):
        raise broken("it holds no object")
    return _from_version_1(data) if version == "v1" else data


def broken(reason: object) -> BadInput:
    """The error of a link that can't be shown."""
    return BadInput(f"This link is broken ({short(reason)}).", _REMEDY)


def _unpack(body: str) -> Any:
    packed = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(packed, LONGEST_TEXT)
    if not unpacker.eof:
        raise ValueError("cut off or too long")
    return json.loads(text)


# Where the fields of version 1 are now; those not named were, and are, shared.
_MOVED = {
    "look": "ablation.look",
    "maps": "attention.show",
    "maps_page": "attention.page",
    "maps_threshold": "attention.threshold",
    "focus": "attention.focus",
    "lens_show": "lens.show",
} | {
    name: f"circuit.{name}"
    for name in (
        "source pairs pair_count given_pairs method edge_kind cut edges mlps exact given_edges "
        "side_lens kept arranged pinned hidden names groups"
    ).split()
}


def _from_version_1(data: dict[str, Any]) -> Sections:
    sections: Sections = {}
    for name, value in data.items():
        at_home = OWN_SETTINGS if name in SETTINGS else SHARED
        section, _, field = _MOVED.get(name, f"{at_home}.{name}").partition(".")
        sections.setdefault(section, {})[field] = value
    return sections
