"""Every example of the documentation runs as it stands there, and its numbers are those of its library."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import confusion_matrix
from typer.testing import CliRunner

import rdstats
from rdcli.app import app

DOCS = Path(__file__).resolve().parents[2] / "docs"
SECTION = re.search(r"^## With other libraries\n(.*?)(?=^## )", (DOCS / "any_model.md").read_text(), re.M | re.S)[1]

Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run an example in an empty folder and return its names."""
    monkeypatch.chdir(tmp_path)
    return lambda name: runpy.run_path(str(DOCS / "examples" / f"{name}.py"))


def check_one_pair(result: rdstats.Comparison) -> None:
    """One pair of models carries no claim about training."""
    assert "no claim is made that compression intensified" in result.summary()
    assert result.records("control") == []
    assert not [one.name for one in result.quantities if "training runs" in one.basis]


def check_matrices_agree(result: rdstats.Comparison, labels: Any, before: Any, after: Any) -> None:
    """The matrices alone, scikit-learn's, give the same values, and bounds where they cannot."""
    found = rdstats.compare(confusion_matrix(labels, before), confusion_matrix(labels, after))
    for one in found.quantities:
        own = result[one.name]
        if one.value is not None:
            assert own.value == one.value, one.name
    assert found["churn"].lower <= result["churn"].value <= found["churn"].upper
    assert result["churn"].value == np.mean(np.asarray(before) != np.asarray(after))
    assert result["worst_recall_drop"].lower >= found["worst_recall_drop"].lower  # pairs of images narrow intervals


def check_both_correct(result: rdstats.Comparison, labels: Any, before: Any, after: Any) -> None:
    labels, both = np.asarray(labels), (np.asarray(before) == labels) & (np.asarray(after) == labels)
    expected = [int(both[labels == one].sum()) for one in np.unique(labels)]
    assert result.cube["both_correct"].values.squeeze().tolist() == expected


def check(result: rdstats.Comparison, labels: Any, before: Any, after: Any) -> None:
    check_one_pair(result)
    check_matrices_agree(result, labels, before, after)
    check_both_correct(result, labels, before, after)


def test_scikit_learn(run: Run) -> None:
    found = run("scikit_learn")
    labels, before = found["y_test"], found["predicted"]
    check(found["to_distilled"], labels, before, found["distilled"])
    check(found["to_calibrated"], labels, before, found["calibrated"].predict(found["x_test"]))
    assert found["to_calibrated"]["churn"].value < found["to_distilled"]["churn"].value


def check_networks(found: dict[str, Any]) -> None:
    before, after, result = found["before"], found["after"], found["result"]
    check(result, before.labels, before.predictions, after.predictions)
    np.testing.assert_array_equal(before.confusion, confusion_matrix(before.labels, before.predictions))
    assert 0.85 < result["accuracy"].value < 1  # of the pruned network, the last
    check_one_pair(found["by_counts"])
    zeros = sum(int((layer.weight == 0).sum()) for layer in found["model"] if hasattr(layer, "weight"))
    assert zeros == round(0.8 * (64 * 64 + 64 * 10))


# PyTorch announces that both will move; the example goes on without them
@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_pytorch(run: Run) -> None:
    found = run("pytorch_networks")
    check_networks(found)
    dense, loader = found["dense"], found["loader"]
    quantised = found["quantised"](dense)
    assert "int8" in str(quantised)
    # batch by batch: activations are quantised by the largest of their batch
    scores = [(quantised(images), dense(images)) for images, _ in loader]
    assert not any(one.equal(other) for one, other in scores)
    expected = np.concatenate([one.argmax(1).numpy() for one, _ in scores])
    np.testing.assert_array_equal(found["rdcompute"].evaluate(quantised, loader).predictions, expected)


def test_pytorch_with_torchao(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the example does where PyTorch has lost its own quantisation."""
    pytest.importorskip("torchao", reason="torchao is not installed: PyTorch still quantises by itself")
    torch = pytest.importorskip("torch")
    if hasattr(torch.ao.quantization, "quantize_dynamic"):
        monkeypatch.delattr(torch.ao.quantization, "quantize_dynamic")
    check_networks(run("pytorch_networks"))


def test_torchmetrics(run: Run) -> None:
    pytest.importorskip("torchmetrics")
    found = run("torchmetrics_counts")
    check_one_pair(found["result"])
    assert found["result"].cube["confusion"].values.astype(int).tolist() == found["counts"]["pruned"].tolist()
    np.testing.assert_array_equal(found["cube"]["confusion_dense"].values.squeeze(), found["counts"]["dense"].numpy())
    # of the last network, whose predictions are left: true classes are on the rows
    last = confusion_matrix(found["labels"].numpy(), found["predictions"].numpy())
    assert last.tolist() == found["counts"]["pruned"].tolist()


def test_onnx_runtime(run: Run) -> None:
    for library in ("onnx", "onnxruntime", "skl2onnx"):
        pytest.importorskip(library, reason=f"{library} is not installed: it has no wheel for every platform")
    found = run("onnx_runtime")
    check(found["result"], found["labels"][found["test"]], found["before"], found["after"])
    assert Path("int8.onnx").stat().st_size < Path("float.onnx").stat().st_size


def test_pandas_and_the_command_line(run: Run) -> None:
    found = run("pandas_predictions")
    frame = found["frame"]
    for model, result in found["results"].items():
        check(result, frame["label"], frame["dense"], frame[model])
    pd.testing.assert_frame_equal(pd.read_parquet("predictions.parquet"), frame)
    lines = [line for block in re.findall(r"```sh\n(.*?)```", SECTION, re.S) for line in block.splitlines()]
    said = {}
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line, comments=True)[1:])
        assert done.exit_code == 0, (line, done.output)
        said[line.split()[1]] = done.stdout
    assert set(said) == {"compare", "import", "analyze"}
    assert " ".join(said["compare"].split()).startswith(found["results"]["pruned"].sentences()[0])
    with rdstats.open_cube("mine.nc") as cube:
        for model, result in found["results"].items():
            for name in ("confusion", "both_correct"):
                own = cube[name].sel({"method": model}).values
                np.testing.assert_array_equal(own.squeeze(), result.cube[name].values.squeeze())


def test_the_documentation_shows_the_examples() -> None:
    shown = {}
    for name, code in re.findall(r"\(examples/(\w+)\.py\)(?:(?!\(examples/).)*?```python\n(.*?)```", SECTION, re.S):
        shown[name] = code
        source = (DOCS / "examples" / f"{name}.py").read_text()
        lines = {line.strip() for line in source.splitlines()}
        assert [line for line in code.splitlines() if line.strip() and line.strip() not in lines] == []
    assert set(shown) == {path.stem for path in (DOCS / "examples").glob("*.py")}
