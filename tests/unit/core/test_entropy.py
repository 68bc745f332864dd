"""Random bytes in larger pieces."""

from itertools import count

from tocsin.runtime import entropy


def test_no_byte_is_given_twice_and_the_system_is_asked_seldom() -> None:
    asked: list[int] = []
    numbers = count()

    def read(size: int) -> bytes:
        asked.append(size)
        return b"".join(next(numbers).to_bytes(4, "big") for _ in range(size // 4))

    randbytes = entropy.source(read)
    given = [randbytes(8) for _ in range(1000)]

    assert len(set(given)) == 1000
    assert len(asked) == 2


def test_more_than_a_piece_is_given_whole() -> None:
    randbytes = entropy.source()
    assert len(randbytes(3)) == 3
    assert len(randbytes(10_000)) == 10_000
    assert len(randbytes(0)) == 0
