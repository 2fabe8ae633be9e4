"""Where samples come from, in a word or two."""

_FIRST = "shape"


def origin_of(synthetic: bool, task: str | None) -> str:
    """Return "recorded", or "synthetic", with the task where that is not the first one.

    Predictions of before there were several tasks name none.
    """
    if not synthetic:
        return "recorded"
    return "synthetic" if task in (None, _FIRST) else f"synthetic {task}"
