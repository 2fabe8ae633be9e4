"""The list of operations repeats, and names them all."""

from benchmarks.operations import digest, results


def test_operations_repeat_to_the_bit() -> None:
    first, second = (
        [(name, [digest(value) for value in values]) for name, values in results(4, 16)]
        for _ in range(2)
    )
    assert first == second
    assert len({name for name, _ in first}) == len(first)
    digests = [value for _, values in first for value in values]
    assert len(set(digests)) == len(digests)


def test_a_digest_is_of_the_values() -> None:
    (_, values), *_ = results(4, 16)
    assert digest(values[0]) != digest(values[0] + 1)
    assert digest(values[0]) == digest(values[0].clone())
