"""What the sentences of a finding rest on: slopes beside what accuracy and the control alone give, seeds, images."""

from __future__ import annotations

from collections.abc import Sequence

from rdstats._labelled import SEED, is_control
from rdstats._text import visible
from rdstats._words import Words, words
from rdstats.analysis import Analysis
from rdstats.array.control import CLAIMS
from rdstats.records import Record
from rdstats.report.phrases import method_of, place_of, range_text, span

COLLAPSED = CLAIMS[0]


def slopes_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    """Return the range of mean slopes beside the expected ones and the control's; collapsed cells left out.

    It ends with what a slope below 1 can show here.
    """
    own = words(analysis.counts.attrs)
    compressed = [record for record in records if not is_control(method_of(record))]
    sound = [record for record in compressed if not str(record["verdict"]).startswith(COLLAPSED)]
    slopes = range_text(record["mean"] for record in sound)
    if not slopes:
        return ""
    expected = range_text(record["expected"] for record in sound if record["mean"] is not None)
    beside = f" ({expected} expected from accuracy alone)" if expected else ""
    return f"Mean slopes after {own.act}: {slopes}{beside}{_control_part(control_slopes(records), own)}"


def _control_part(means: Sequence[float], own: Words) -> str:
    no_evidence = "no evidence of a corrective effect"
    if not means:
        return f". A slope below 1 may come from {own.training} alone and is by itself {no_evidence}."
    text = f"; the control's: {range_text(means)}"
    if min(means) >= 1:
        return f"{text}."
    return f"{text}, so slopes below 1 occur without {own.act} too: by themselves {no_evidence}."


def control_slopes(records: Sequence[Record]) -> list[float]:
    """Return the mean slope of every control that has not collapsed."""
    sound = [record for record in records if not str(record["verdict"]).startswith(COLLAPSED)]
    return [r["mean"] for r in sound if is_control(method_of(r)) and r["mean"] is not None]


def basis_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    """Return seeds and test images per class, and what the statements are conditional on."""
    ns = sorted({record["n"] for record in records if record["n"]})
    seeds = span(ns or [analysis.slopes.sizes.get(SEED, 1)])
    few = "; nothing is said about other training runs" if seeds == "1" else ""
    return (
        f"Basis: {seeds} seed{'' if seeds == '1' else 's'}, {span(analysis.test_images_per_class)} test images per "
        f"class, this test set only{few}."
    )


def family_sentence(analysis: Analysis, records: Sequence[Record]) -> str:
    """Return over which comparisons the intervals hold together, and what was selected before that."""
    columns = {(method_of(record), place_of(record)) for record in records}
    ks = sorted({int(record["k"]) for record in records if record["k"]})
    parts = []
    if len(columns) > 1 and ks:
        ratios = f"{span(ks)} ratio{'s' if ks[-1] > 1 else ''}"
        parts.append(
            f"Intervals hold together over the {ratios} of one method, not over all {len(columns)} columns: of many, "
            "some will be wrong."
        )
    if selected := analysis.counts.attrs.get("selected"):
        parts.append(f"Selected part only ({visible(str(selected))}): intervals count what is selected.")
    return " ".join(parts)
