"""What to cite: the paper whose method this is, and this software."""

from __future__ import annotations

from rdstats._version import __version__

AUTHORS = (
    "Good, Aidan", "Lin, Jiaqi", "Yu, Xin", "Sieg, Hannah", "Ferguson, Mikey", "Zhe, Shandian", "Wieczorek, Jerzy",
    "Serra, Thiago",
)  # fmt: skip
TITLE = "Recall Distortion in Neural Network Pruning and the Undecayed Pruning Algorithm"
VENUE = "Advances in Neural Information Processing Systems"
VOLUME, YEAR = 35, 2022
SOFTWARE = "rd: recall distortion of compressed neural networks"


def bibtex() -> list[tuple[str, str]]:
    """Return (what it is, BibTeX entry) of the source paper and of this software."""
    paper = f"""@inproceedings{{good2022recall,
  title     = {{{{{TITLE}}}}},
  author    = {{{" and ".join(AUTHORS)}}},
  booktitle = {{{VENUE}}},
  volume    = {{{VOLUME}}},
  year      = {{{YEAR}}}
}}"""
    software = f"""@software{{rd_recall_distortion,
  title   = {{{{{SOFTWARE}}}}},
  author  = {{{{The rd developers}}}},
  version = {{{__version__}}},
  note    = {{BSD-3-Clause}}
}}"""
    return [("The paper whose method this is", paper), ("This software", software)]
