"""The hash on which both logs agree about partitions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.eventlog.murmur2 import murmur2, partition_for

# org.apache.kafka.common.utils.UtilsTest.testMurmur2
KNOWN = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "signed"), KNOWN.items())
def test_the_hash_is_kafkas(data: bytes, signed: int) -> None:
    assert murmur2(data) == signed & 0xFFFFFFFF


@pytest.mark.parametrize(("data", "signed"), KNOWN.items())
def test_the_partition_is_kafkas(data: bytes, signed: int) -> None:
    assert partition_for(data, 7) == (signed & 0x7FFFFFFF) % 7


@given(st.binary(), st.integers(1, 256))
def test_every_key_has_a_partition(key: bytes, partitions: int) -> None:
    assert 0 <= partition_for(key, partitions) < partitions
