"""Where labels stand so that they do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

Offset = tuple[Literal["left", "right", "center"], float, float]
"""Alignment of a text and its distance from its point, in pixels."""

_OFFSETS: tuple[Offset, ...] = (
    ("left", 8.0, 0.0), ("right", -8.0, 0.0), ("center", 0.0, -11.0), ("center", 0.0, 11.0),
    ("left", 6.0, -9.0), ("left", 6.0, 9.0), ("right", -6.0, -9.0), ("right", -6.0, 9.0),
)  # fmt: skip
_LETTER, _LINE, _MARK = 5.2, 10.0, 9.0
"""Size of a letter, a line and a mark, in pixels."""

Box = tuple[float, float, float, float]


def apart(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions as near as can be to those wanted, in their order, at least `gap` apart, within a range.

    Where there are more labels than the range has room for, they share it evenly.
    """
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    room = (high - low) / max(len(wanted) - 1, 1)
    gap = min(gap, room)
    # groups of labels that touch: total of their wanted starts, and how many they are
    groups: list[tuple[float, int]] = []
    for index in order:
        total, n = wanted[index], 1
        while groups and total / n < groups[-1][0] / groups[-1][1] + groups[-1][1] * gap:
            before, m = groups.pop()
            total, n = before + total - n * m * gap, n + m
        groups.append((total, n))
    spread = [total / n + i * gap for total, n in groups for i in range(n)]
    up, down = list(spread), list(spread)
    for i in range(len(up)):
        up[i] = max(spread[i], up[i - 1] + gap if i else low)
    for i in reversed(range(len(up))):
        down[i] = min(up[i], high if i == len(up) - 1 else down[i + 1] - gap)
    result = [0.0] * len(wanted)
    for index, position in zip(order, down, strict=True):
        result[index] = position
    return result


def beside(
    points: Sequence[tuple[float, float]], texts: Sequence[str], marks: Sequence[tuple[float, float]]
) -> list[Offset | None]:
    """Return where the text of each point stands: the first place that covers no mark and no other text.

    None where there is no such place.

    Parameters
    ----------
    points, marks : horizontal and vertical place in pixels, of what is named and of all that must stay visible.
    texts : one a point.
    """
    half = _MARK / 2
    taken: list[Box] = [(x - half, x + half, y - half, y + half) for x, y in marks]
    result: list[Offset | None] = []
    for (x, y), text in zip(points, texts, strict=True):
        width = _LETTER * len(text)
        found = None
        for align, dx, dy in _OFFSETS:
            left = x + dx - {"left": 0.0, "right": width, "center": width / 2}[align]
            box = (left, left + width, y + dy - _LINE / 2, y + dy + _LINE / 2)
            if not any(_cover(box, other) for other in taken):
                found = (align, dx, dy)
                taken.append(box)
                break
        result.append(found)
    return result


def _cover(one: Box, other: Box) -> bool:
    return one[0] < other[1] and other[0] < one[1] and one[2] < other[3] and other[2] < one[3]
