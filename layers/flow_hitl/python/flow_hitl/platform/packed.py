"""Records stay below a kilobyte, where a write begins to cost twice as much: their longest text is deflated."""

import zlib
from collections.abc import Mapping
from typing import Any

KILOBYTE = 1024
# DynamoDB's items are smaller than this; packed by somebody else, they may not be.
_LONGEST = 4 * 1024 * 1024
_RAW = -zlib.MAX_WBITS
# A brief text needs no more, and to clear what deflating reserves otherwise takes longer than the text itself.
_BRIEF, _BRIEF_BITS, _BRIEF_MEMORY = 4096, 12, 5


def fitting(record: Mapping[str, Any], member: str, words: bytes = b"") -> dict[str, Any]:
    """Return a record whose text `member` is deflated if the record would otherwise weigh more than a kilobyte."""
    text = record[member]
    return {**record, member: packed(text, words) if weight(record) > KILOBYTE else text}


def weight(record: Mapping[str, Any]) -> int:
    """Return about how many bytes a record takes in DynamoDB, rather too many; its members are texts and numbers."""
    return len("".join([f"{name}{value}" for name, value in record.items() if value is not None]).encode())


def packed(text: str, words: bytes = b"") -> bytes:
    """Return a text deflated; `words` are what such texts often say, and must be the same when it is read."""
    data = text.encode()
    is_brief = len(data) + len(words) <= _BRIEF
    bits, memory = (_BRIEF_BITS, _BRIEF_MEMORY) if is_brief else (zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
    # With words, the format names them by a checksum.
    if words:
        packing = zlib.compressobj(wbits=bits, memLevel=memory, zdict=words)
    else:
        packing = zlib.compressobj(wbits=-bits, memLevel=memory)
    return packing.compress(data) + packing.flush()


def unpacked(stored: object, words: bytes = b"") -> str:
    """Return a text as it was before it was stored; raises ValueError for bytes that we never wrote."""
    if not isinstance(stored, bytes):
        return str(stored)
    unpacking = zlib.decompressobj(zdict=words) if words else zlib.decompressobj(wbits=_RAW)
    try:
        text = unpacking.decompress(stored, _LONGEST)
    except zlib.error as error:
        raise ValueError(f"it cannot be unpacked: {error}") from None
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("it is cut, too long, or followed by something else")
    return text.decode()
