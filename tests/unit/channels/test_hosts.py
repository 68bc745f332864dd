"""Which of the hosts that one provider reaches fail, and for how long they are left alone."""

from channels.hosts import Hosts


def test_a_host_is_left_alone_for_longer_with_each_failure_in_a_row() -> None:
    hosts, now, holds = Hosts(), 0.0, []
    for _ in range(9):
        until = hosts.failed("a.test", now)
        holds.append(until - now)
        now = until

    assert holds == [5, 10, 20, 30, 30, 30, 30, 30, 30]


def test_a_host_whose_calls_hang_is_left_alone_for_longer_still() -> None:
    hosts, now, holds = Hosts(), 0.0, []
    for _ in range(8):
        until = hosts.failed("a.test", now, took=20.0)
        holds.append(until - now)
        now = until

    assert holds == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_host_that_fails_is_probed_by_one_call_at_a_time() -> None:
    hosts = Hosts()
    fine = hosts.began("a.test", 1.0)
    hosts.failed("a.test", 2.0)
    probe = hosts.began("a.test", 7.0)
    hosts.succeeded("a.test", 8.0)

    assert (fine, probe, hosts.began("a.test", 8.0)) == (1.0, 12.0, 8.0)


def test_what_was_under_way_together_counts_once() -> None:
    hosts = Hosts()

    assert {hosts.failed("a.test", at) for at in (0.0, 1.0, 4.9)} == {5.0}


def test_a_host_that_worked_begins_anew() -> None:
    hosts = Hosts()
    hosts.failed("a.test", 0.0)
    hosts.succeeded("a.test", 6.0)

    assert hosts.failed("a.test", 7.0) == 12.0


def test_all_fail_when_several_have_lately_and_none_worked_since() -> None:
    hosts, found = Hosts(), []
    for at, host in enumerate(("a", "a", "b", "c")):
        hosts.failed(host, float(at))
        found.append(hosts.all_fail(float(at)))

    assert found == [False, False, False, True]
    assert not hosts.all_fail(301.0)
    hosts.succeeded("d", 4.0)
    assert not hosts.all_fail(4.0)


def test_what_was_not_their_own_fault_is_forgotten() -> None:
    hosts = Hosts()
    for host in ("a", "b"):
        hosts.failed(host, 0.0)

    assert sorted(hosts.forgive()) == ["a", "b"]
    assert hosts.began("a", 1.0) == 1.0


def test_hosts_that_failed_long_ago_are_forgotten() -> None:
    hosts = Hosts()
    for number in range(1000):
        hosts.failed(str(number), number * 100.0)

    assert len(hosts._failing) <= 65
