"""UUIDs as text and as bytes, without the standard library's module, which looks at the machine when it is imported."""


def uuid_text(octets: bytes) -> str:
    """Return 16 bytes as a UUID is written."""
    digits = octets.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a UUID; raises ValueError for another text."""
    octets = bytes.fromhex(text.replace("-", ""))
    if uuid_text(octets) != text.lower() or len(octets) != 16:
        raise ValueError(f"not a UUID: {text!r}")
    return octets


def with_version(octets: bytes, version: int) -> bytes:
    """Return 16 bytes with a version and the variant of RFC 9562."""
    marked = bytearray(octets)
    marked[6] = marked[6] & 0x0F | version << 4
    marked[8] = marked[8] & 0x3F | 0x80
    return bytes(marked)
