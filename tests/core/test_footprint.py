"""What a mobile node has in the kernel, and what it does without."""

from dataclasses import replace

import pytest
from tests.core.test_ledger import NEXT, ROUTE, RULE
from tests.core.test_mobile_state import bound

from mip6.core.effects import Install, Remove
from mip6.core.footprint import Footprint

TUNNEL = bound(400)


def test_answers_of_an_earlier_moment_have_happened() -> None:
    """What the kernel refuses later, a repair, is nothing that they have to undo."""
    footprint = Footprint(None, ())
    footprint.begin(0.0, later=True)
    footprint.answered(footprint.reconcile([RULE, ROUTE, NEXT], 0.0))
    footprint.begin(1.0, later=True)
    assert footprint.refused(RULE, 1.0) == [Install(RULE)]
    assert footprint.installed == {ROUTE, NEXT}


def test_answers_of_one_moment_are_one_list() -> None:
    footprint = Footprint(None, ())
    footprint.begin(0.0, later=True)
    footprint.answered(footprint.reconcile([RULE, ROUTE], 0.0))
    footprint.begin(0.0, later=False)
    footprint.answered(footprint.reconcile([RULE, ROUTE, NEXT], 0.0))
    undone = [Install(RULE), Install(ROUTE), Install(NEXT)]
    assert footprint.refused(RULE, 0.0) == undone
    assert footprint.installed == set()


@pytest.mark.parametrize(("now", "stays"), [(399.9, True), (400.0, False)])
def test_a_tunnel_that_cannot_be_changed_stays_until_its_end(
    now: float, stays: bool
) -> None:
    footprint = Footprint(TUNNEL, ())
    footprint.begin(now, later=True)
    longer = replace(TUNNEL, expires=800.0)
    footprint.answered(footprint.reconcile([longer], now))
    footprint.refused(longer, now)
    effects = footprint.reconcile([longer], now)
    assert effects == ([] if stays else [Remove(TUNNEL)])
