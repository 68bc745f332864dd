"""Which fault happens, to whom, and how often."""

import pytest

from simulators.smtp import builtin
from simulators.smtp.faults import Fault, Faults, Phase, Reply

BUSY = Reply(code=451, enhanced="4.3.2", text="Busy")
GONE = Reply(code=550, enhanced="5.1.1", text="Gone")


@pytest.mark.parametrize(
    ("pattern", "recipient", "met"),
    [
        ("anna@example.org", "anna@example.org", True),
        ("Anna@Example.org", "aNNa@example.ORG", True),
        ("anna@example.org", "hanna@example.org", False),
        ("*@example.org", "anna@example.org", True),
        ("*@example.org", "anna@example.org.test", False),
        ("anna@[127.0.0.1]", "anna@[127.0.0.1]", True),
    ],
)
def test_a_pattern_is_an_address_or_a_glob(pattern: str, recipient: str, met: bool) -> None:
    assert Fault(phase="rcpt", recipients=pattern, reply=BUSY).meets(recipient) is met


def test_the_first_rule_that_fits_wins() -> None:
    faults = Faults()
    faults.add(Fault(phase="rcpt", recipients="anna@*", reply=BUSY))
    faults.add(Fault(phase="rcpt", recipients="*@example.org", reply=GONE))

    assert _refusal(faults, "anna@example.org") == BUSY
    assert _refusal(faults, "bert@example.org") == GONE
    assert _refusal(faults, "bert@example.com") is None


def test_a_rule_that_is_used_up_lets_the_next_one_have_its_say() -> None:
    faults = Faults()
    faults.add(Fault(phase="rcpt", reply=BUSY, times=2))
    faults.add(Fault(phase="rcpt", reply=GONE))

    assert [_refusal(faults, "anna@example.org") for _ in range(3)] == [BUSY, BUSY, GONE]


def test_added_rules_come_before_the_builtin_ones() -> None:
    faults = Faults([Fault(phase="rcpt", reply=BUSY)])
    faults.add(Fault(phase="rcpt", recipients="anna@*", reply=GONE))

    assert _refusal(faults, "anna@example.org") == GONE
    assert _refusal(faults, "bert@example.org") == BUSY


def test_greylisting_counts_the_tries_of_each_recipient() -> None:
    faults = Faults([Fault(phase="rcpt", greylist=True, times=2)])

    tries = [_refused(faults, name) for name in ("anna@x", "bert@x", "ANNA@x", "anna@x", "bert@x", "bert@x")]

    assert tries == [True, True, True, False, True, False]


def test_one_recipient_of_several_is_enough_for_a_fault_after_rcpt() -> None:
    faults = Faults([Fault(phase="body", recipients="anna@*", drop=True)])

    assert faults.at("body", ["bert@x"]) is None
    assert faults.at("body", ["bert@x", "anna@x"]) is not None


def test_a_greylisting_of_several_recipients_counts_one_at_a_time() -> None:
    faults = Faults([Fault(phase="data", greylist=True)])

    assert [faults.at("data", ["anna@x", "bert@x"]) is not None for _ in range(3)] == [True, True, False]


def test_a_phase_without_recipients_needs_none() -> None:
    faults = Faults([Fault(phase="connect", reply=BUSY, times=1)])

    assert faults.at("mail") is None
    assert faults.at("connect") is not None
    assert faults.at("connect") is None


def test_reset_brings_the_builtin_rules_back_unused() -> None:
    faults = Faults([Fault(phase="rcpt", greylist=True)])
    faults.add(Fault(phase="rcpt", recipients="bert@*", reply=GONE))
    assert [_refused(faults, "anna@x"), _refused(faults, "anna@x")] == [True, False]

    faults.reset()

    assert _refused(faults, "anna@x")
    assert not _refused(Faults(), "bert@x")
    assert [(rule.builtin, rule.applied) for rule in faults] == [(True, 1)]


@pytest.mark.parametrize("phase", ["connect", "mail"])
def test_no_recipient_can_be_named_before_rcpt(phase: Phase) -> None:
    with pytest.raises(ValueError, match="no recipient is known"):
        Fault(phase=phase, recipients="anna@*", drop=True)
    with pytest.raises(ValueError, match="no recipient is known"):
        Fault(phase=phase, greylist=True)


def test_a_fault_does_one_thing() -> None:
    with pytest.raises(ValueError, match="choose one"):
        Fault(phase="rcpt")
    with pytest.raises(ValueError, match="choose one"):
        Fault(phase="rcpt", reply=BUSY, drop=True)


def test_the_status_agrees_with_the_code() -> None:
    with pytest.raises(ValueError, match="begins with 5"):
        Reply(code=550, enhanced="4.1.1", text="?")


@pytest.mark.parametrize(
    ("name", "code"), [("greylist", 451), ("refused", 550), ("busy", 451), ("shutdown", 421), ("full", 552)]
)
def test_builtin_refusals_go_by_the_local_part(name: str, code: int) -> None:
    faults = Faults(builtin.faults())

    for recipient in (f"{name}@example.org", f"{name}+1@elsewhere.test"):
        refusal = _refusal(faults, recipient)
        assert refusal is not None
        assert refusal.code == code
    assert _refusal(faults, f"not{name}@example.org") is None


def _refusal(faults: Faults, recipient: str) -> Reply | None:
    fault = faults.at("rcpt", [recipient])
    return None if fault is None else fault.refusal


def _refused(faults: Faults, recipient: str) -> bool:
    return faults.at("rcpt", [recipient]) is not None
