"""The Vega libraries as one script, made once by vl-convert and kept for its version.

Vega, Vega-Lite and Vega-Embed are BSD-3-Clause, copyright University of Washington Interactive Data Lab and
contributors; the bundle carries the licences of what it contains.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_GLOBALS = "window.vegaEmbed = vegaEmbed;"

LICENCE = "Vega, Vega-Lite and Vega-Embed: BSD-3-Clause, (c) University of Washington Interactive Data Lab"


def vega_lite_version() -> str:
    """Return the Vega-Lite version that Altair writes, as vl-convert names it: ``6.4``."""
    import altair as alt

    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def vega_bundle() -> str:
    """Return a script that defines ``vegaEmbed``; it needs nothing else.

    The script is kept in the user's cache folder (``RD_CACHE_DIR`` names another), one file a version of
    vl-convert and Vega-Lite, its checksum behind it: a damaged file is made again, and a folder that cannot be
    written costs a second, not the page.
    """
    path = _path()
    kept = _read(path)
    if kept is not None:
        return kept
    import vl_convert

    script: str = vl_convert.javascript_bundle(_GLOBALS, vl_version=vega_lite_version())
    for mark in ("</script", "<script", "<!--"):  # nothing of the script may end the element that holds it
        script = script.replace(mark, f"\\x3c{mark[1:]}")
    _keep(path, script)
    return script


def _path() -> Path:
    from importlib.metadata import version

    import platformdirs

    folder = os.environ.get("RD_CACHE_DIR") or platformdirs.user_cache_dir("recall-distortion")
    return Path(folder) / f"vega-{version('vl-convert-python')}-{vega_lite_version()}-{_checksum(_GLOBALS)[:8]}.js"


def _checksum(script: str) -> str:
    return hashlib.sha256(script.encode()).hexdigest()


def _read(path: Path) -> str | None:
    try:
        script, _, checksum = path.read_bytes().decode().rpartition("\n//")
    except (OSError, UnicodeDecodeError):
        return None
    return script if script and checksum == _checksum(script) else None


def _keep(path: Path, script: str) -> None:
    from rdstats.files import write_document

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_document(path, f"{script}\n//{_checksum(script)}")
    except (OSError, ValueError):  # a cache is a convenience
        return
