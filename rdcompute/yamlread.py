"""Read YAML the way people mean it, and remember where everything stood.

Plain YAML 1.1 takes ``1e-2`` for text, ``010`` for 8, ``no`` for False, and keeps the last of two equal keys.
Here numbers are numbers, only ``true`` and ``false`` are booleans, and a repeated key is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rdstats.errors import InputError

Position = tuple[int, int]
KeyPath = tuple[str | int, ...]

_INTEGER = re.compile(r"[-+]?[0-9][0-9_]{0,300}\Z")  # longer ones are floats, and infinite
_NUMBER = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?\Z")
_WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
_DEEPEST = 50


@dataclass(frozen=True)
class Places:
    """Where the keys and items of a document stood; no part of what it says, so any two are equal."""

    source: str = field(default="", compare=False)
    positions: Mapping[KeyPath, Position] = field(default_factory=dict, compare=False)

    def prefix(self, path: KeyPath) -> str:
        """Return ``source:line:column: `` of a key, or of the nearest one around it; "" where nothing is known."""
        while path and path not in self.positions:
            path = path[:-1]
        if path not in self.positions:
            return ""
        line, column = self.positions[path]
        return f"{self.source}:{line}:{column}: "


def read_yaml(text: str, source: str) -> tuple[Any, dict[KeyPath, Position]]:
    """Return the document and the position (line and column, from 1) of every key and item.

    Raises
    ------
    InputError
        Not YAML, a mapping with a key twice, a key that is not text, or too many levels; the message starts
        with ``source:line:column``.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{where}: not YAML: {' '.join(problem.split())}") from None
    except yaml.YAMLError as error:
        raise InputError(f"{source}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise InputError(f"{source}: more than {_DEEPEST} levels") from None
    positions: dict[KeyPath, Position] = {}
    return (_construct(node, (), positions, source) if node is not None else None), positions


def read_text(path: Path) -> str:
    """Return the text of a file, refusing what is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _construct(node: yaml.Node, path: KeyPath, positions: dict[KeyPath, Position], source: str) -> Any:
    positions.setdefault(path, _position(node))
    if len(path) > _DEEPEST:  # an alias inside its own anchor has no end
        line, column = _position(node)
        raise InputError(f"{source}:{line}:{column}: more than {_DEEPEST} levels")
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(item, (*path, i), positions, source) for i, item in enumerate(node.value)]
    assert isinstance(node, yaml.MappingNode)
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line, column = _position(key_node)
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{source}:{line}:{column}: a list or mapping as a key; text is accepted")
        key = str(key_node.value)
        if key in mapping:
            raise InputError(f"{source}:{line}:{column}: key {key!r} is there twice; keep one")
        positions[(*path, key)] = (line, column)
        mapping[key] = _construct(value_node, (*path, key), positions, source)
    return mapping


def _position(node: yaml.Node) -> Position:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _scalar(node: yaml.ScalarNode) -> Any:
    text = str(node.value)
    if node.style is not None:  # quoted or block text stays text
        return text
    if _INTEGER.match(text):
        return int(text.replace("_", "").lstrip("+"))
    if _NUMBER.match(text):
        return float(text.replace("_", ""))
    return _WORDS.get(text.lower(), text)
