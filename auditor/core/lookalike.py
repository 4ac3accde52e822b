"""Whether one host name can be taken for another by a person: `xn--` labels are decoded first, as a mail client or a browser shows them."""

import unicodedata
from functools import lru_cache

MAX_CHARACTERS = 254
"""Past this a text is no host name, and nothing is compared."""

_REMEMBERED_HOSTS = 1024
"""One host is compared with many: what each is shown as is worked out once."""

_LONG_NAME = 12
"""From this many characters on, two slips of the pen still look alike."""

# Lower-case letters that IDNA 2008 lets into a domain, by what Unicode's confusables.txt (UTS 39) makes of them: Latin, Greek, Cyrillic, Armenian,
# Coptic, Georgian and Cherokee. The other scripts of that table are left out: a label in them is told from Latin by its script.
_CONFUSABLE = {
    "a": "ɑαа", "ae": "æӕ", "b": "Ꮟ", "c": "ᴄⲥс", "d": "ԁᏧ", "e": "ꬲеҽ", "f": "ꬵꞙẝք", "g": "ɡᶃƍց", "h": "һհᏂ", "i": "ıɪɩιіꙇӏᎥ", "j": "ϳј", "l": "ǀ",
    "n": "ոռ", "o": "ᴏᴑꬽοσⲟоჿօ", "oe": "œ", "p": "ρⲣр", "q": "ԛգզ", "r": "ꭇꭈᴦⲅг", "s": "ꜱƽѕ", "u": "ꞟᴜꭎꭒʋυս", "v": "ᴠνѵ", "w": "ɯᴡѡԝա", "x": "х",
    "y": "ɣᶌʏỿꭚγуүყ", "z": "ᴢ", "6": "б", "8": "ȣ",
}  # fmt: skip
_SKELETON = str.maketrans({letter: plain for plain, letters in _CONFUSABLE.items() for letter in letters})
_STROKES = str.maketrans({"0": "o", "1": "l", "i": "l", "5": "s", "-": ""})


def look_alike(host: str, other: str) -> bool:
    """Whether `host` is not `other`, yet looks like it.

    It does with the same UTS 39 skeleton; with the same strokes (rn=m, vv=w, 0=o, 1=i=l, 5=s, no hyphens); or one slip away (a letter more,
    less, another, or two exchanged), two from 12 characters of `other` on.
    """
    if max(len(host), len(other)) > MAX_CHARACTERS:
        return False
    seen, known = shown(host), shown(other)
    if seen == known:
        return False
    return _strokes(seen) == _strokes(known) or _slips(seen, known, 2 if len(known) >= _LONG_NAME else 1)


@lru_cache(maxsize=_REMEMBERED_HOSTS)
def shown(host: str) -> str:
    """`host` as a person is shown it: decoded, in lower case, composed, without a trailing dot."""
    return unicodedata.normalize("NFC", ".".join(decoded_labels(host)).lower()).removesuffix(".")


def decoded_labels(host: str) -> list[str]:
    """The labels of `host`, those in Punycode (RFC 3492) decoded as far as that goes, whether or not IDNA allows the result."""
    return [_decoded(label) for label in host.split(".")]


def scripts(letter: str) -> frozenset[str]:
    """The scripts that `letter` belongs to, from its Unicode name; nothing for digits, marks and signs, which go with any.

    Han goes with Japanese, Korean and Bopomofo, as UTS 39 has it.
    """
    if not unicodedata.category(letter).startswith("L"):
        return frozenset()
    name = unicodedata.name(unicodedata.normalize("NFKC", letter)[0], "")
    first = name.partition(" ")[0]
    return _TOGETHER.get(first, frozenset({first}) if first and first not in _ANY_SCRIPT else frozenset())


def mixes_scripts(label: str) -> bool:
    """Whether the letters of `label` have no script in common: UTS 39's sign of a spoof."""
    if label.isascii():  # all its letters are Latin
        return False
    found = [known for letter in set(label) if (known := scripts(letter))]
    return bool(found) and not frozenset.intersection(*found)


_ANY_SCRIPT = frozenset({"MODIFIER", "FEMININE", "MASCULINE"})
_TOGETHER = {
    "CJK": frozenset({"japanese", "korean", "bopomofo"}),
    "IDEOGRAPHIC": frozenset({"japanese", "korean", "bopomofo"}),
    "HIRAGANA": frozenset({"japanese"}),
    "KATAKANA": frozenset({"japanese"}),
    "KATAKANA-HIRAGANA": frozenset({"japanese"}),
    "HANGUL": frozenset({"korean"}),
    "BOPOMOFO": frozenset({"bopomofo"}),
}


def _decoded(label: str) -> str:
    if label[:4].lower() != "xn--" or len(label) > MAX_CHARACTERS:
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except ValueError:
        return label


@lru_cache(maxsize=_REMEMBERED_HOSTS)
def _strokes(name: str) -> str:
    skeleton = unicodedata.normalize("NFD", name).translate(_SKELETON)
    return skeleton.translate(_STROKES).replace("rn", "m").replace("vv", "w")


def _slips(one: str, two: str, allowed: int) -> bool:
    """Whether at most `allowed` slips (Damerau: insert, drop, replace, exchange neighbours) lead from `one` to `two`."""
    if abs(len(one) - len(two)) > allowed:  # each slip changes a length by one at most
        return False
    same = 0
    while same < min(len(one), len(two)) and one[same] == two[same]:
        same += 1
    one, two = one[same:], two[same:]
    if not one or not two:
        return len(one) + len(two) <= allowed
    if allowed == 0:
        return False
    exchanged = one[:2] == two[1::-1] and _slips(one[2:], two[2:], allowed - 1)
    return exchanged or any(_slips(a, b, allowed - 1) for a, b in ((one[1:], two), (one, two[1:]), (one[1:], two[1:])))
