"""Tests that share a port, a browser or a broker go to one process: the groups of xdist are in force."""

import pytest


@pytest.mark.xdist_group("groups")
def test_a_test_is_handed_out_with_its_group(request: pytest.FixtureRequest) -> None:
    """With a pytest that xdist does not fit, groups do nothing, and nothing says so: two gateways meet on one port."""
    if not request.config.getoption("loadgroup", default=False):
        pytest.skip("the tests are not shared out by group")

    assert request.node.nodeid.endswith("@groups")
