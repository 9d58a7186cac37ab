"""What has failed is tried elsewhere, and the canary by fresh workers."""

from __future__ import annotations

from scenewright.farm.job import CANARY
from scenewright.farm.tries import MAX_FAILURES, MAX_KILLS, Backlog


def test_a_failure_is_tried_elsewhere() -> None:
    """An image that failed in a place waits for another one; those that were not tried yet come after it."""
    backlog = Backlog(range(3), 2)
    assert backlog.take(1, fresh=True) == 0
    backlog.failed(0, 1, "sick", from_outside=False)
    assert (backlog.count(0), backlog.count(1)) == (3, 2)
    assert [backlog.take(1, fresh=False) for _ in range(3)] == [1, 2, None]
    assert backlog.take(0, fresh=False) == 0


def test_where_there_is_no_other_place() -> None:
    """In a single place an image has all its tries there, and then no more."""
    backlog = Backlog([7], 1)
    for _ in range(MAX_FAILURES):
        assert backlog.take(0, fresh=True) == 7
        tries = backlog.failed(7, 0, "sick", from_outside=False)
    assert tries.over and tries.reasons == ("sick",) * MAX_FAILURES and backlog.take(0, fresh=True) is None


def test_a_kill_says_nothing_of_the_place() -> None:
    """An image whose worker was killed from outside may be tried in the same place, more often than one that fails."""
    backlog = Backlog([7], 2)
    for _ in range(MAX_KILLS):
        assert backlog.take(0, fresh=True) == 7
        tries = backlog.failed(7, 0, "killed", from_outside=True)
    assert tries.over and backlog.count(0) == 0


def test_the_canary_waits_for_fresh_workers() -> None:
    """It is made once for all suspects, elsewhere than they failed last, before anything else."""
    backlog = Backlog(range(5), 3)
    backlog.suspect(0)
    backlog.suspect(1)
    assert backlog.trial() == {2} and backlog.count(2) == backlog.count(0) + 1
    assert [backlog.take(2, fresh=False), backlog.take(0, fresh=True), backlog.take(2, fresh=True)] == [0, 1, CANARY]
    assert not backlog.trial()
    backlog.trusted()
    backlog.suspect(2)
    assert backlog.trial() == {0, 1}
