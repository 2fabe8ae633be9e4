"""From logits to a row per sample."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from fusebench.inference.predictor import Answers
from fusebench.inference.table import DIGITS, answers_table, as_csv, as_json

# Two seeds, three samples, two classes; the seeds differ on the third.
LOGITS = np.log(
    [[[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]], [[0.7, 0.3], [0.2, 0.8], [0.1, 0.9]]]
).astype(np.float32)
IDS = ["a", "b", "0003"]


def answers(logits: np.ndarray = LOGITS, **temperatures: float) -> Answers:
    seeds = tuple(range(4, 4 + len(logits)))
    known = {int(seed.removeprefix("of_")): value for seed, value in temperatures.items()}
    return Answers("add", IDS, ("cubes", "spheres"), seeds, logits, known)


def test_a_class_is_the_one_of_the_highest_mean_probability() -> None:
    table = answers_table(answers())
    expected = pd.DataFrame(
        {
            "id": IDS,
            "class": ["cubes", "spheres", "spheres"],
            "probability": [0.8, 0.8, 0.6],
            "spread": [0.2 / np.sqrt(2), 0.0, 0.6 / np.sqrt(2)],
            "lowest": [0.7, 0.8, 0.3],
            "highest": [0.9, 0.8, 0.9],
            "agree": [1.0, 1.0, 0.5],
            "calibrated": False,
            "p_cubes": [0.8, 0.2, 0.4],
            "p_spheres": [0.2, 0.8, 0.6],
        }
    )
    pd.testing.assert_frame_equal(table, expected, atol=1e-6, check_dtype=False)


def test_logits_are_divided_by_the_temperature_of_their_seed() -> None:
    table = answers_table(answers(of_4=2.0, of_5=0.5))
    of_seeds = [softmax(LOGITS[0] / 2, axis=1), softmax(LOGITS[1] / 0.5, axis=1)]
    np.testing.assert_allclose(table[["p_cubes", "p_spheres"]], np.mean(of_seeds, 0), atol=1e-6)
    assert table["calibrated"].all()


def test_one_seed_has_no_spread() -> None:
    table = answers_table(answers(LOGITS[:1]))
    assert table["spread"].isna().all()
    assert table["lowest"].equals(table["probability"])
    assert table["agree"].tolist() == [1, 1, 1]
    assert as_csv(answers(LOGITS[:1])).splitlines()[1] == "a,cubes,0.9,,0.9,0.9,1.0,False,0.9,0.1"


def test_csv_is_the_table() -> None:
    text = as_csv(answers())
    read = pd.read_csv(io.StringIO(text), dtype={"id": str})
    expected = answers_table(answers()).round(DIGITS)
    pd.testing.assert_frame_equal(read, expected, check_dtype=False, check_exact=True)
    assert text.endswith("\n")
    assert "\r" not in text


def test_json_is_the_table_and_says_what_answered() -> None:
    content = json.loads(as_json(answers(of_4=2.0, of_5=0.5)))
    rows = content.pop("samples")
    assert content == {
        "fusion": "add", "classes": ["cubes", "spheres"], "seeds": [4, 5],
        "temperatures": [2.0, 0.5],
    }  # fmt: skip
    table = answers_table(answers(of_4=2.0, of_5=0.5))
    assert rows == table.round(DIGITS).to_dict("records")


def test_json_of_one_seed_without_temperatures_has_null() -> None:
    content = json.loads(as_json(answers(LOGITS[:1])))
    assert content["temperatures"] is None
    assert [row["spread"] for row in content["samples"]] == [None] * 3


FINITE = st.floats(-50, 50, width=32)


@given(
    logits=st.lists(st.tuples(*[st.tuples(FINITE, FINITE)] * 3), min_size=1, max_size=4),
    temperature=st.floats(0.05, 20),
)
def test_probabilities_are_such(
    logits: list[tuple[tuple[float, float], ...]], temperature: float
) -> None:
    array = np.array(logits, np.float32)
    known = {f"of_{4 + seed}": temperature for seed in range(len(logits))}
    table = answers_table(answers(array, **known))
    of_classes = table[["p_cubes", "p_spheres"]]
    # In all digits: only what is written is rounded.
    assert of_classes.sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-12)
    assert table["probability"].to_numpy() == pytest.approx(of_classes.max(axis=1), abs=1e-12)
    assert (table["lowest"] <= table["probability"] + 1e-12).all()
    assert (table["probability"] <= table["highest"] + 1e-12).all()
    assert table["agree"].between(0, 1).all()
