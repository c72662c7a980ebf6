"""Formats of other programs: datasets of Hugging Face, logs of the LM Evaluation Harness, torchmetrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rdstats.readers import import_files, preview

CLASS_LABEL = {"names": ["neg", "pos"], "_type": "ClassLabel"}
FEATURES = {"label": CLASS_LABEL, "dense": CLASS_LABEL, "pruned": {"dtype": "string", "_type": "Value"}}


def saved_dataset(folder: Path, labels: list[int]) -> Path:
    """Write what `datasets` writes with `save_to_disk`: Arrow streams, with the features in the schema."""
    pa = pytest.importorskip("pyarrow")
    folder.mkdir()
    schema = pa.schema(
        [("label", pa.int64()), ("dense", pa.int64()), ("pruned", pa.string())],
        metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
    )
    names = []
    for i, part in enumerate((labels[:2], labels[2:])):
        names.append(f"data-{i:05}-of-00002.arrow")
        rows = pa.table({"label": part, "dense": part, "pruned": ["neg"] * len(part)}, schema=schema)
        with pa.OSFile(str(folder / names[-1]), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(rows)
    (folder / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


def test_saved_dataset_with_class_names(tmp_path: Path) -> None:
    found = import_files(saved_dataset(tmp_path / "ds", [0, 1, 1, 0]))
    cube = found.cube()
    assert cube["class_name"].values.tolist() == ["neg", "pos"]
    assert cube["confusion_dense"].values.tolist() == [[2, 0], [0, 2]]
    assert cube["confusion"].sel({"method": "pruned"}).values.tolist() == [[2, 0], [2, 0]]
    assert cube["label"].values.tolist() == [0, 1, 1, 0]


def test_saved_dataset_without_a_label_or_a_part(tmp_path: Path, refused: Any) -> None:
    folder = saved_dataset(tmp_path / "ds", [0, 1, -1, 0])
    line = refused(folder)
    assert line.endswith("data-00001-of-00002.arrow: row 1, column 'label': no value; a class is accepted in every row")
    (folder / "data-00001-of-00002.arrow").unlink()
    assert refused(folder) == "ds: a saved dataset without its .arrow files"


def test_a_dataset_of_splits_is_named(tmp_path: Path, refused: Any) -> None:
    (tmp_path / "all").mkdir()
    saved_dataset(tmp_path / "all" / "test", [0, 1])
    (tmp_path / "all" / "dataset_dict.json").write_text('{"splits": ["test"]}')
    assert refused(tmp_path / "all") == "all: a dataset of splits test; the folder of one of them is accepted"


def test_pyarrow_absent_is_one_line(tmp_path: Path, refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import builtins

    real = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    (tmp_path / "a.parquet").write_bytes(b"PAR1 and more")
    monkeypatch.setattr(builtins, "__import__", without)
    line = refused(tmp_path / "a.parquet")
    assert line == "a.parquet: Parquet and Arrow files need pyarrow: pip install 'recall-distortion[parquet]'"


def sample(i: int, target: str, responses: Any, name: str = "none") -> dict[str, Any]:
    """One line as the harness writes it, the parts that are read and some that are not."""
    return {
        "doc_id": i, "doc": {"text": "..."}, "target": target, "arguments": {"gen_args_0": {"arg_0": "..."}},
        "resps": [responses], "filtered_resps": responses, "filter": name, "metrics": ["acc"], "acc": 1.0,
    }  # fmt: skip


def log(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def choices(*scores: float) -> list[list[str]]:
    return [[str(score), "False"] for score in scores]


def test_multiple_choice_of_two_models(tmp_path: Path) -> None:
    name = "samples_task_2026-01-01T00-00-00.jsonl"
    dense = [sample(0, "0", choices(-1, -2)), sample(1, "1", choices(-3, -2)), sample(2, "1", choices(-1, -1))]
    q8 = [sample(2, "1", choices(-5, -1)), sample(1, "1", choices(-3, -4)), sample(0, "0", choices(-1, -2))]
    files = [log(tmp_path / "dense" / name, dense), log(tmp_path / "org__q8" / name, q8)]
    found = import_files(files)
    cube = found.cube()
    assert cube["method"].values.tolist() == ["org__q8"]
    assert cube["confusion_dense"].values.tolist() == [[1, 0], [1, 1]]  # equal: the first choice, as argmax has it
    assert cube["confusion"].values.tolist() == [[[1, 0], [1, 1]]]
    assert cube["both_correct"].values.tolist() == [[1, 0]]
    assert "log of the LM Evaluation Harness" in preview(found)


def test_generated_text_and_filters(tmp_path: Path, refused: Any) -> None:
    rows = [sample(i, "yes", [text], name) for i in range(2) for name, text in (("strict", "yes"), ("loose", "no"))]
    rows.append(sample(2, "no", ["no"], "strict"))
    files = [log(tmp_path / f"{model}.jsonl", rows) for model in ("dense", "q8")]
    assert refused(*files) == "dense.jsonl: filters strict, loose; choose one with --filter"
    assert import_files(files, filter="strict").cube()["confusion"].values.tolist() == [[[1, 0], [0, 2]]]
    assert "no filter 'strickt' (did you mean 'strict'?); it has strict, loose" in refused(*files, filter="strickt")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (sample(0, "A", choices(-1, -2)), "row 1, column 'target': 'A'; the number of one of 2 choices is accepted"),
        (sample(0, "2", choices(-1, -2)), "row 1, column 'target': '2'; the number of one of 2 choices is accepted"),
        (sample(0, "0", []), "row 1, column 'filtered_resps': []; one text, or one [log-likelihood"),
        (sample(0, "0", [["x", "False"], ["-1", "True"]]), "a number for every choice is accepted"),
        (sample(0, "0", 3), "row 1, column 'filtered_resps': 3;"),
    ],
)
def test_logs_that_are_refused(tmp_path: Path, refused: Any, row: dict[str, Any], message: str) -> None:
    assert message in refused(log(tmp_path / "dense.jsonl", [row]))


def test_torchmetrics_as_json(tmp_path: Path) -> None:
    """``torchmetrics.ConfusionMatrix(...).compute().tolist()``: true class on the rows, as here."""
    for model, counts in (("dense", [[2, 0], [1, 1]]), ("q8", [[1, 1], [0, 2]])):
        (tmp_path / f"{model}.json").write_text(json.dumps({"MulticlassConfusionMatrix": counts}))
    cube = import_files(tmp_path).cube()
    assert cube["confusion_dense"].values.tolist() == [[2, 0], [1, 1]]
    assert cube["confusion"].sel({"method": "q8"}).values.tolist() == [[1, 1], [0, 2]]
