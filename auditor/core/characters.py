"""The characters that hurt where a text is shown, sent or compared: controls, line breaks, what is not seen, what turns the direction."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_BREAK = re.compile(r"[\n\v\f\r\x85\u2028\u2029]")
_BIDI = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Default-ignorable code points that do not turn the direction: soft hyphen, joiners, fillers, variation selectors, tags
_ZERO_WIDTH = re.compile(
    r"[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)


def has_control(text: str) -> bool:
    """Whether a C0 or C1 control character, or one of Unicode's two line separators, is in `text`."""
    return _CONTROL.search(text) is not None


def has_line_break(text: str) -> bool:
    """Whether some reader of `text` would begin a new line in it."""
    return _LINE_BREAK.search(text) is not None


def has_bidi(text: str) -> bool:
    """Whether a character in `text` turns or marks the writing direction."""
    return _BIDI.search(text) is not None


def has_zero_width(text: str) -> bool:
    """Whether something in `text` is there and not seen, bidirectional controls aside."""
    return _ZERO_WIDTH.search(text) is not None


def has_unseen(text: str) -> bool:
    """Whether a name that is `text` could pass for another: a control, a bidirectional mark, what is not seen, half a character."""
    return has_control(text) or has_bidi(text) or has_zero_width(text) or any("\ud800" <= character <= "\udfff" for character in text)


def has_space(text: str) -> bool:
    """Whether white space that is no control character is in `text`."""
    return any(character.isspace() and not has_control(character) for character in text)
