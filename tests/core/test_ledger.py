"""What stands in the kernel, and the way back when the kernel refuses."""

from ipaddress import IPv6Network

from mip6.core.effects import Install
from mip6.core.ledger import Ledger
from mip6.core.state import Route, Rule, State

RULE = Rule(priority=1000, table=254)
ROUTE = Route(destination=IPv6Network("2001:db8:b::/64"), link="eth0")
NEXT = Route(destination=IPv6Network("2001:db8:c::/64"), link="eth0")


def standing(*states: State) -> Ledger:
    ledger = Ledger()
    ledger.begin()
    ledger.answered(ledger.reconcile(states))
    ledger.begin()
    return ledger


def test_what_stood_before_the_refusal_stays() -> None:
    ledger = standing(RULE)
    effects = ledger.reconcile([RULE, ROUTE, NEXT])
    ledger.answered(effects)
    assert ledger.refused(NEXT) == [Install(NEXT)]
    assert ledger.standing == {RULE, ROUTE}


def test_a_repair_that_is_refused() -> None:
    """No answer of ours: somebody took it away, and it cannot be put back."""
    ledger = standing(RULE, ROUTE)
    ledger.answered(ledger.reconcile([RULE, ROUTE, NEXT]))
    assert ledger.refused(ROUTE) == [Install(ROUTE)]
    assert ledger.standing == {RULE, NEXT}


def test_the_last_of_two_installs_is_the_one_refused() -> None:
    """Answers of one moment: it came, went and came again."""
    ledger = standing()
    for wanted in ([RULE], [], [RULE, ROUTE]):
        ledger.answered(ledger.reconcile(wanted))
    assert ledger.refused(RULE) == [Install(RULE), Install(ROUTE)]
    assert ledger.standing == set()


def test_what_was_undone_once_is_not_undone_again() -> None:
    ledger = standing()
    ledger.answered(ledger.reconcile([RULE, ROUTE, NEXT]))
    assert ledger.refused(ROUTE) == [Install(ROUTE), Install(NEXT)]
    assert ledger.standing == {RULE}
    assert ledger.refused(NEXT) == [Install(NEXT)]
    assert ledger.standing == {RULE}
