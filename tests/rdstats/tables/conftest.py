"""All tables of the shared analyses, made once."""

import pytest

from rdstats.tables import TABLES

STUDIES = ("usual", "crumbling", "pair_of_models", "large")


@pytest.fixture(scope="session")
def shown(usual, crumbling, pair_of_models, large):
    """Return the tables of every analysis by analysis and kind."""
    analyses = dict(zip(STUDIES, (usual, crumbling, pair_of_models, large), strict=True))
    return {study: {kind: TABLES[kind].tables(one) for kind in TABLES} for study, one in analyses.items()}


@pytest.fixture(scope="session")
def all_tables(shown):
    """Return every table of every analysis: (analysis, kind, table)."""
    return [(study, kind, table) for study, kinds in shown.items() for kind, own in kinds.items() for table in own]
