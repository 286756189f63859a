"""Text, HTML and raw headers of a message as one blob: a format octet, then zstd over three framed parts.

One compressed value needs a quarter of the disk of three text columns and the least CPU on both sides
(research/prototypes.md 1). SQL cannot look into it: `snippet` is a column, the index is built from unpacked text.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cache

import zstandard

FORMAT_ZSTD = 1
_FORMAT_OCTET = bytes((FORMAT_ZSTD,))
_LENGTHS = struct.Struct("<III")  # octets of text, html, headers
_LARGEST = 256 * 1024 * 1024  # octets unpacked; a larger claim is a damaged row


class DamagedBlob(ValueError):
    """The stored body is not what was written."""


@dataclass(frozen=True, slots=True)
class BodyContent:
    """What a body unpacks to. `headers` is the block as it came."""

    text: str
    html: str
    headers: bytes


def pack(text: str, html: str, headers: bytes) -> bytes:
    """The blob of a body. Lone surrogates, which UTF-8 cannot hold, become question marks."""
    parts = (text.encode("utf-8", "replace"), html.encode("utf-8", "replace"), headers)
    frame = b"".join((_LENGTHS.pack(*map(len, parts)), *parts))
    return _FORMAT_OCTET + _compressor().compress(frame)


def unpack(blob: bytes | memoryview) -> BodyContent:
    """The body in a blob; raises DamagedBlob."""
    blob = bytes(blob)
    if blob[:1] != _FORMAT_OCTET:
        raise DamagedBlob(f"unknown format {blob[:1]!r}")
    try:
        frame = zstandard.ZstdDecompressor().decompress(blob[1:], max_output_size=_LARGEST)
        text_length, html_length, headers_length = _LENGTHS.unpack_from(frame)
    except (zstandard.ZstdError, struct.error) as error:
        raise DamagedBlob(str(error)) from error
    if len(frame) != _LENGTHS.size + text_length + html_length + headers_length:
        raise DamagedBlob("lengths do not add up")
    html_start = _LENGTHS.size + text_length
    headers_start = html_start + html_length
    return BodyContent(
        text=frame[_LENGTHS.size : html_start].decode("utf-8"),
        html=frame[html_start:headers_start].decode("utf-8"),
        headers=frame[headers_start:],
    )


@cache
def _compressor() -> zstandard.ZstdCompressor:
    return zstandard.ZstdCompressor(level=1)
