"""What is measured at which number of samples, and the limits it is judged by."""

from dataclasses import dataclass

STREAMED, HELD = "train, streamed", "train, in memory"
PREDICT, SPLIT, EXTRACT = "predict, streamed", "split", "extract"
KINDS = (STREAMED, HELD, PREDICT, SPLIT, EXTRACT)
"""What is measured, as results and tables name it."""

LIMITS = {
    "largest ÷ smallest": 1.15,
    "streamed ÷ in memory": 0.9,
    # 2 GiB.
    "anonymous MB": 2**31 / 1e6,
    "loading ÷ maps": 1.3,
}


@dataclass(frozen=True)
class Plan:
    """How much is measured. The defaults take about ten minutes on two cores, and 12 GB of disk.

    Attributes
    ----------
    sizes : tuple of int
        Numbers of samples, rising.
    most_held : int
        Samples up to which they are also trained on in memory.
    most_repeated : int
        Samples up to which extract and split, which are measured whole, are repeated.
    repeats : int
        Rounds, in each of which all sizes have a turn.
    warm : int
        Batches before the clock starts.
    batches : int
        Batches that are timed of a training or prediction; of an epoch's if it has more.
    """

    sizes: tuple[int, ...] = (1_000, 10_000, 50_000, 200_000)
    most_held: int = 10_000
    most_repeated: int = 10_000
    repeats: int = 3
    warm: int = 5
    batches: int = 60

    def kinds_at(self, size: int, repeat: int) -> list[str]:
        """Return what is measured of packed samples of a size in a round, counted from 0."""
        kinds = [PREDICT, STREAMED]
        if size <= self.most_held:
            kinds.append(HELD)
        if self.repeats_whole(size) > repeat:
            kinds.append(SPLIT)
        return kinds

    def repeats_whole(self, size: int) -> int:
        """Return how often extract and split are measured at a size."""
        return self.repeats if size <= self.most_repeated else 1
