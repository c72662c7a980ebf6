"""What sentences call that which lies between before and after: pruning is right for our own grids alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OWN = "rdcompute"
"""The attribute ``source`` of cubes that our own grids wrote."""


@dataclass(frozen=True)
class Words:
    """The words of a cube.

    Attributes
    ----------
    act, done : what was done to the networks, as a noun and as a participle.
    training, trained : what the control shares with them, likewise.
    untouched : what is said of a network that this was not done to.
    ratio_of : what the ratio relates, in brackets; empty where only those know who made the cube.
    """

    act: str
    done: str
    training: str
    trained: str
    untouched: str
    ratio_of: str

    @property
    def alike(self) -> str:
        """What the control had: ``the same fine-tuning``."""
        return f"the same {self.training}"

    @property
    def without(self) -> str:
        """What the control is, in a sentence: ``the same fine-tuning without pruning``."""
        return f"{self.alike} without {self.act}"

    @property
    def control(self) -> str:
        """What the control is, in a note: ``the same fine-tuning, nothing pruned``."""
        return f"{self.alike}, nothing {self.done}"

    @property
    def ratio(self) -> str:
        """The title of an axis of ratios."""
        return f"{self.act} ratio{self.ratio_of}"


PRUNING = Words(
    "pruning", "pruned", "fine-tuning", "fine-tuned", "nothing removed from it", " (all parameters over those kept)"
)
COMPRESSION = Words("compression", "compressed", "training", "trained", "nothing compressed", "")


def words(attrs: Mapping[Any, Any]) -> Words:
    """Return the words that fit a cube with these attributes.

    Examples
    --------
    >>> words({"source": "rdcompute"}).without
    'the same fine-tuning without pruning'
    >>> words({}).without
    'the same training without compression'
    """
    return PRUNING if attrs.get("source") == OWN else COMPRESSION
