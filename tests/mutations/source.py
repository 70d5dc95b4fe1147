"""Finds a fragment in an item of a Rust file, whatever the spaces, line ends and comments in it."""

import re

# Comments, texts and characters.
BLANK = re.compile(
    r"""//[^\n]*|/\*.*?\*/|r(?P<hashes>\#+)".*?"(?P=hashes)|\br"[^"]*"|"(?:\\.|[^"\\])*"|'(?:\\[^']+|[^'\\])'""", re.S
)
TESTS = re.compile(r"#\[cfg\(test\)\]\s*mod \w+ \{")
TOKEN = re.compile(r"\w+|\S")


class NoFit(Exception):
    """Why a fragment has no place in a text."""


def blanked(text):
    """The text with spaces in place of comments, texts and the tests at its end. The rest stays where it is."""
    code = BLANK.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    tests = TESTS.search(code)
    return code[: tests.start()] if tests else code


def end_of(code, begin):
    """Where the item that begins here ends: after its semicolon or its closing brace."""
    depth = 0
    for at in range(begin, len(code)):
        depth += (code[at] in "{([") - (code[at] in "})]")
        if depth == 0 and code[at] in ";}":
            return at + 1
    return len(code)


def place_of(code, item):
    """Where `function`, `CONSTANT`, `Type::function` or `Type::CONSTANT` begins and ends."""
    *owner, name = item.split("::")
    places = [(0, len(code))]
    if owner:
        impls = re.finditer(rf"^impl\b[^{{;]*\b{owner[0]}\b(?![^{{]*\bfor\b)[^{{;]*\{{", code, re.M)
        places = [(found.start(), end_of(code, found.start())) for found in impls]
    pattern = re.compile(rf"\b(?:fn|const)\s+{name}\b")
    found = [match.start() for place in places for match in pattern.finditer(code, *place)]
    if len(found) != 1:
        raise NoFit(f"`{item}` is there {len(found)} times, not once")
    return found[0], end_of(code, found[0])


def pattern_of(fragment):
    """Matches the fragment's words and signs with any spaces between them."""
    parts = []
    for token in TOKEN.findall(fragment):
        if token[0].isalnum() or token[0] == "_":
            parts.append(rf"(?<!\w){token}(?!\w)")
        else:
            # The formatter puts a comma before a closing bracket that has its own line.
            parts.append((r"(?:,\s*)?" if token in ")]}" else "") + re.escape(token))
    return re.compile(r"\s*".join(parts))


def replaced(text, item, fragment, becomes):
    """The text with this fragment of this item replaced."""
    code = blanked(text)
    found = [match.span() for match in pattern_of(fragment).finditer(code, *place_of(code, item))]
    if len(found) != 1:
        raise NoFit(f"`{fragment}` is {len(found)} times in `{item}`, not once")
    begin, end = found[0]
    return text[:begin] + becomes + text[end:]
