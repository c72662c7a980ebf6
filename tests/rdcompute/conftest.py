"""What whole runs have and are watched with, whoever computes them."""

import pytest

from rdcompute import provenance


@pytest.fixture(scope="session", autouse=True)
def real_git_commit():
    """Give all cubes one commit, whatever happens to the checkout meanwhile; the real function is the value."""
    real = provenance.git_commit
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(provenance, "git_commit", lambda: "c0ffee")
        yield real


class Recorder:
    """A listener that keeps what it is told, and may act on it."""

    def __init__(self, act=lambda kind, cell: None):
        self.events, self.n_workers, self.act = [], [], act

    def _take(self, kind, cell, *content):
        self.events.append((kind, cell.key, *content))
        self.act(kind, cell)

    def started(self, cell):
        self._take("started", cell)

    def epoch(self, cell, report):
        self._take("epoch", cell, report)

    def finished(self, cell):
        self._take("finished", cell)

    def failed(self, cell, message):
        self._take("failed", cell, message)

    def workers(self, n):
        self.n_workers.append(n)

    def of(self, kind):
        return [event[1] for event in self.events if event[0] == kind]


@pytest.fixture
def recorder():
    return Recorder
