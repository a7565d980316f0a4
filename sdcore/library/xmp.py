"""The texts that an XMP packet carries for us: written beside a picture whose format has no named chunks, and read.

The packet holds one property of a namespace of our own: a JSON object of the texts that a PNG has as chunks, word for
word. XMP is the one place in JPEG and WebP that is made for what others do not know, and that editors leave alone.
Reading looks for two marks and parses no XML, so that no packet can do harm.

Source: Adobe, XMP Specification Part 1 (ISO 16684-1) and Part 3, "Storage in Files".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

import msgspec

NAMESPACE: Final = "urn:sdtui:1#"
USER_COMMENT: Final = "XMP UserComment"
"""The name of the comment that Draw Things writes in its packet."""

_OPEN, _CLOSE = "<sdtui:texts>", "</sdtui:texts>"
_ESCAPES: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_OTHERS: Final = (
    ("&quot;", '"'),
    ("&apos;", "'"),
    ("&#39;", "'"),
    ("&#34;", '"'),
    ("&#xA;", "\n"),
    ("&#10;", "\n"),
)


def packet(texts: Mapping[str, str]) -> bytes:
    """An XMP packet that holds `texts`, all of it ASCII."""
    body = json.dumps(dict(texts), ensure_ascii=True)
    for mark, escaped in _ESCAPES:
        body = body.replace(mark, escaped)
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:sdtui="{NAMESPACE}">{_OPEN}{body}{_CLOSE}</rdf:Description>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode("ascii")


def xmp_texts(data: bytes) -> dict[str, str]:
    """The texts of a packet that `packet` made, and the user comment of one by Draw Things. Never raises."""
    text = data.decode("utf-8", "replace")
    found = _texts(_between(text, _OPEN, _CLOSE))
    comment = _between(_between(text, "<exif:UserComment>", "</exif:UserComment>"), "<rdf:li", "</rdf:li>")
    if comment:
        found.setdefault(USER_COMMENT, _plain(comment.partition(">")[2]))
    return found


def _texts(body: str) -> dict[str, str]:
    try:
        return msgspec.json.decode(_plain(body), type=dict[str, str]) if body else {}
    except (msgspec.DecodeError, RecursionError):
        return {}


def _between(text: str, begin: str, end: str) -> str:
    start = text.find(begin)
    stop = text.find(end, start)
    return text[start + len(begin) : stop] if 0 <= start < stop else ""


def _plain(text: str) -> str:
    for escaped, mark in _OTHERS:
        text = text.replace(escaped, mark)
    for mark, escaped in reversed(_ESCAPES):
        text = text.replace(escaped, mark)
    return text
