"""Names from files as people may see them."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return a text with its control characters written out: ``\\u202e`` for one that reverses what follows it."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
