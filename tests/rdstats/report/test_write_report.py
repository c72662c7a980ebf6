"""Writing the HTML file: all or nothing, and one clear line when it cannot be done."""

import os

import pytest

import rdstats
from rdstats.errors import InputError
from rdstats.report import analyze_for_report, render_html, render_markdown, write_report

pytestmark = pytest.mark.usefixtures("no_charts")


def test_write_cube_with_options(sim, tmp_path):
    path = tmp_path / "report.html"
    write_report(sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL}), path, level=0.9)
    text = path.read_text(encoding="utf-8")
    assert "intervals simultaneous at 90%" in text
    assert os.listdir(tmp_path) == ["report.html"]


def test_write_analysis_is_render(report, tmp_path):
    write_report(report, str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text(encoding="utf-8") == render_html(report)
    write_report(report, tmp_path / "r.md", format="markdown")
    assert (tmp_path / "r.md").read_text(encoding="utf-8") == render_markdown(report)


def test_formats(study, tmp_path):
    with pytest.raises(InputError, match="html, markdown is accepted"):
        write_report(study, tmp_path / "r.pdf", format="pdf")
    assert os.listdir(tmp_path) == []


def test_default_families_are_all_that_the_cube_can_answer(sim):
    cube = sim.simulate({"sham": sim.CONTROL, "mp": sim.CONTROL, "up": sim.CONTROL})
    assert [one.family.name for one in analyze_for_report(cube).families] == ["ratio", "method", "method-by-arch"]
    assert [one.family.name for one in analyze_for_report(cube, family="method").families] == ["method"]
    assert analyze_for_report(cube.isel(seed=[0])).families == ()
    bare = rdstats.build([[9, 1], [3, 7]], [[7, 3], [5, 5]])
    assert analyze_for_report(bare).families == ()


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_others_may_read_as_the_umask_says(study, tmp_path):
    previous = os.umask(0o022)
    try:
        write_report(study, tmp_path / "r.html")
    finally:
        os.umask(previous)
    assert (tmp_path / "r.html").stat().st_mode & 0o777 == 0o644


def test_options_for_a_finished_analysis_are_refused(study, tmp_path):
    with pytest.raises(InputError, match="level: options belong to a cube"):
        write_report(study, tmp_path / "r.html", level=0.9)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["", "none/r.html"])
def test_paths_that_cannot_be_written(study, tmp_path, name):
    with pytest.raises(InputError, match="cannot write"):
        write_report(study, tmp_path / name)


def test_failure_leaves_the_old_report(study, tmp_path, monkeypatch):
    path = tmp_path / "r.html"
    path.write_text("old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rdstats.files.replace_file", fail)
    with pytest.raises(InputError, match="No space left"):
        write_report(study, path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["r.html"]


def test_failed_analysis_leaves_the_old_report(sim, tmp_path):
    path = tmp_path / "r.html"
    path.write_text("old")
    with pytest.raises(InputError, match="family"):
        write_report(sim.simulate({"mp": sim.CONTROL}), path, family="nonsense")
    assert path.read_text() == "old"
