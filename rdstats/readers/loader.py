"""Reads files one after the other, each by what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from rdstats.errors import InputError, one_of
from rdstats.readers import lm_eval
from rdstats.readers.arrow_table import ArrowTable
from rdstats.readers.collect import Collector
from rdstats.readers.files import Source
from rdstats.readers.json_table import JsonLines, JsonTable, is_table, read_json
from rdstats.readers.matrix_file import is_crosstab, is_matrix, read_matrix_text
from rdstats.readers.nested import has_matrices, nested_networks
from rdstats.readers.networks import ClassTable, Found
from rdstats.readers.numpy_file import read_numpy
from rdstats.readers.options import Options
from rdstats.readers.pattern import parse_pattern
from rdstats.readers.roles import BEFORE, Roles, could_be_table, find_roles
from rdstats.readers.stacks import archive_networks, class_texts, network_of, number_classes, refuse_margins
from rdstats.readers.table import Table
from rdstats.readers.text_table import TextTable, header_of
from rdstats.readers.values import name_of, shown


class Loader:
    """Reads file after file; all share the classes of their test set."""

    def __init__(self, options: Options, n_files: int) -> None:
        self._options, self._several = options, n_files > 1
        self._classes: dict[str, ClassTable] = {}
        self._collector = Collector(options, self._tables)
        self._result = Found([], "")
        self._files = 0

    def _tables(self, dataset: str) -> ClassTable:
        return self._classes.setdefault(dataset, ClassTable(self._options))

    def found(self, notes: list[str]) -> Found:
        """Return the networks of all files."""
        result = self._result
        result.networks = [*result.networks, *self._collector.networks()]
        result.understood = [f"files:   {self._files}", *dict.fromkeys(line for line in result.understood if line)]
        result.notes = [*notes, *result.notes]
        if not self._collector.keeps:
            result.notes.append("too many predictions to pair: --predictions pairs and stores them all the same")
        return result

    def read(self, source: Source) -> None:
        """Read one file."""
        self._files += 1
        if source.kind == "text":
            self._text(source)
        elif source.kind == "arrow":
            self._table(source, ArrowTable(source.path))
        elif source.kind == "numpy":
            arrays = read_numpy(source.path)
            self._matched(source)
            about = (self._tables, self._collector, source.model, source.where)
            self._add(archive_networks(self._name(source), arrays, self._options, *about))
        elif source.kind == "lines":
            self._lines(source)
        else:
            self._json(source)

    def _text(self, source: Source) -> None:
        separator = self._options.separator
        could_be_matrix = not self._options.names_columns and is_matrix(source.path, separator)
        if could_be_matrix and (
            not could_be_table(header_of(source.path, separator)) or is_crosstab(source.path, separator)
        ):
            self._matrix(source)
            return
        self._table(source, TextTable(source.path, separator))

    def _matrix(self, source: Source) -> None:
        self._matched(source)
        counts, rows, columns = read_matrix_text(source.path, self._options.separator)
        name = self._name(source)
        refuse_margins(name, counts)
        table = self._tables(str(source.where.get("dataset", "")))
        if rows is None or columns is None:
            given = range(len(counts)) if self._options.classes is None else self._options.classes
            rows = columns = class_texts(name, given, len(counts))
        places = number_classes(table, rows, name)
        across = None
        if columns != rows:
            used = [j for j, column in enumerate(columns) if table.is_label(column) or counts[:, j].any()]
            counts, columns = counts[:, used], [columns[j] for j in used]
            across = self._across(table, columns, counts, name)
        where = {dim: label for dim, label in source.where.items() if dim != "stage"}
        model = "" if source.where else source.model
        stage = source.where.get("stage")
        about = {"where": where, "stage": stage, "model": model, "origin": name}
        one = network_of(counts, places, table, across, **about)
        self._add(Found([one], "confusion matrices, one a file"))

    def _across(self, table: ClassTable, columns: list[str], counts: Any, name: str) -> Any:
        """Return the numbers of the classes on columns that are others than the rows."""
        for j, column in enumerate(columns):
            if not table.is_label(column) and counts[:, j].any():
                row = int(np.argmax(counts[:, j] > 0)) + 2
                table.first.setdefault(column, f"{name}: row {row}, column {shown(column)}: ")
        return number_classes(table, columns, name, is_true=False)

    def _lines(self, source: Source) -> None:
        lines = JsonLines(source.path)
        if not lm_eval.is_log(lines.names):
            self._table(source, lines)
            return
        self._matched(source)
        named = lm_eval.model_of(source.path) if source.model.startswith("samples_") else source.model
        model = "" if source.where else named
        log = lm_eval.SampleLog(lines, self._options.filter)
        self._rows(log, lm_eval.ROLES, source.where, model, {})
        self._told("log of the LM Evaluation Harness", lm_eval.ROLES)

    def _json(self, source: Source) -> None:
        try:
            document = read_json(source.path)
        except InputError:
            first = JsonLines(source.path)  # one record a line, under the name .json
            if len(first.names) < 2 or not _is_lines(first):
                raise
            self._lines(source)
            return
        if has_matrices(document):
            self._matched(source)
            about = (self._tables, source.model, source.where)
            self._add(nested_networks(self._name(source), document, self._options, *about))
        elif is_table(document):
            self._table(source, JsonTable(source.path, document))
        elif isinstance(document, dict) and {"doc_id"} <= set(document):
            self._lines(source)
        else:
            raise InputError(
                f"{self._name(source)}: JSON of another kind; a list of records, a record of lists, or confusion "
                "matrices as nested lists are accepted"
            )

    def _table(self, source: Source, table: Table) -> None:
        roles = find_roles(table.source, table.names, self._options, getattr(table, "index", ()))
        of_column = self._columns_told(source, roles)
        if not of_column:
            self._matched(source)
        for dim in source.where:
            if dim in roles.dims or (dim == "stage" and roles.stage):
                column = shown(roles.dims.get(dim, roles.stage))
                raise InputError(f"{table.source}: {dim} is in the name and in column {column}; once is accepted")
        plain = roles.models[0][1] == "" and len(roles.models) == 1
        named = "method" in roles.dims or roles.stage is not None or source.is_part or self._options.join
        model = source.model if plain and self._several and not named and not source.where else ""
        options = replace(self._options, join=True) if source.is_part else self._options
        self._collector.options = options
        self._rows(table, roles, source.where, model, of_column)
        self._told("one row a count" if roles.count else "one row an example", roles)

    def _rows(
        self, table: Table, roles: Roles, where: Mapping[str, Any], model: str, of_column: dict[str, Any]
    ) -> None:
        before = self._collector.n_rows
        for chunk in table.chunks(roles.columns):
            if len(chunk):
                declared = table.class_names.get(roles.true, ())
                self._collector.add(chunk, roles, where, model, of_column, declared)
        if self._collector.n_rows == before:
            raise InputError(f"{table.source}: no rows of data; a header row and rows are accepted")

    def _columns_told(self, source: Source, roles: Roles) -> dict[str, dict[str, Any]]:
        """Return what the pattern says about the prediction columns, where it does not match the file's name."""
        if self._options.pattern is None or source.where or source.from_folder or len(roles.models) < 2:
            return {}
        pattern = parse_pattern(self._options.pattern)
        found = {}
        for column, model in roles.models:
            where = pattern.match(model) or pattern.match(column)
            if where is None and model.lower() in BEFORE:
                where = {"stage": "before"}
            if where is None:
                raise InputError(f"{self._name(source)}: column {shown(column)} does not match {pattern.text}")
            if "dataset" in where:
                raise InputError(f"{self._name(source)}: {pattern.text}: columns of one table have one dataset")
            found[column] = where
        return found

    def _matched(self, source: Source) -> None:
        if self._options.pattern is not None and not source.where and not source.is_part:
            raise InputError(f"{self._name(source)}: the name does not match {self._options.pattern}")

    def _name(self, source: Source) -> str:
        return name_of(source.path)

    def _add(self, found: Found) -> None:
        self._result.networks += found.networks
        self._result.understood += found.understood
        self._kind(found.kind)

    def _told(self, kind: str, roles: Roles) -> None:
        columns = {"label": roles.true, "count": roles.count, "stage": roles.stage, "example": roles.id, **roles.dims}
        said = [f"{role} = {shown(name)}" for role, name in columns.items() if name is not None]
        models = [shown(column) for column, _ in roles.models]
        said.insert(1, f"prediction = {one_of(models[:6])}{', ...' if len(models) > 6 else ''}")
        self._result.understood.append("columns: " + ", ".join(said))
        self._kind(kind)

    def _kind(self, kind: str) -> None:
        if self._result.kind and self._result.kind != kind:
            raise InputError(f"files of two kinds, {self._result.kind} and {kind}; import them one after the other")
        self._result.kind = kind


def _is_lines(lines: JsonLines) -> bool:
    """Return whether the second line is a record too."""
    records = lines.records()
    try:
        return next(records, None) is not None and next(records, None) is not None
    except InputError:
        return False
