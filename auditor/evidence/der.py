"""As much of DER as a time stamp needs: elements are put together, and taken apart without trust in what they say.

Lengths are definite (X.690 section 10.1); an element that says more than there is, is refused. Nothing recurses.
"""

SEQUENCE, INTEGER, OCTETS, OID, BOOLEAN = 0x30, 0x02, 0x04, 0x06, 0x01
Element = tuple[int, bytes]
"""Tag and content."""


class DerError(ValueError):
    """The bytes are not what they must be; the message says what was wanted."""


def element(tag: int, *contents: bytes) -> bytes:
    """One element that holds `contents`, one after the other."""
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def integer(value: int) -> bytes:
    """A number that is not negative."""
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def number(content: bytes) -> int:
    """What an INTEGER with this content is."""
    return int.from_bytes(content, "big", signed=True)


def elements(content: bytes) -> list[Element]:
    """The elements that `content` is made of.

    Raises:
        DerError: It is not made of whole elements.
    """
    found, at = [], 0
    while at < len(content):
        if at + 2 > len(content) or content[at] & 0x1F == 0x1F:
            raise DerError("an element is cut off, or has a long tag")
        tag, size, begin = content[at], content[at + 1], at + 2
        if size >= 0x80:
            digits = size & 0x7F
            if not 1 <= digits <= 4 or begin + digits > len(content):
                raise DerError("an element has no definite length")
            size, begin = int.from_bytes(content[begin : begin + digits], "big"), begin + digits
        if begin + size > len(content):
            raise DerError("an element is longer than what it stands in")
        found.append((tag, content[begin : begin + size]))
        at = begin + size
    return found


def only(content: bytes, tag: int) -> bytes:
    """The content of the one element that `content` is made of.

    Raises:
        DerError: It is another one, or not one.
    """
    match elements(content):
        case [(found, inner)] if found == tag:
            return inner
        case _:
            raise DerError(f"not one element of tag {tag:#04x}")
