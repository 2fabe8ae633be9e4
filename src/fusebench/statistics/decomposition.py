"""What two answers tell of a class: in both, in one alone (partial information decomposition).

Bertschinger, Rauh, Olbrich, Jost & Ay, "Quantifying unique information" (Entropy 16, 2014). Of a
class Y and two answers X1, X2 only p(y, x1) and p(y, x2) are looked at. Among all q(y, x1, x2) with
these two tables, the one with the least I(Y; X1, X2) holds nothing that only both together tell:

    union = min I_q(Y; X1, X2)
    redundant = I(Y; X1) + I(Y; X2) − union    unique to X1 = union − I(Y; X2)

The minimum is a convex programme over exponential cones (Makkeh, Theis & Vicente, Entropy 19,
2017). All information is in bits, and every class counts equally: log2 k bits for k classes.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from fusebench.statistics.paired import Floats, Ints


def joint_table(
    labels: Ints, answers: Ints, shape: tuple[int, int], weights: Floats | None = None
) -> Floats:
    """Return the joint distribution of class and answer, each class with the same share.

    Parameters
    ----------
    labels, answers : array of int, shape (n,)
    shape : (k, b)
        Numbers of classes and of answers.
    weights : array, shape (n,), optional
        How often each sample counts.

    Returns
    -------
    array, shape (k, b)
        Its rows have the sum 1/k; NaN in the row of a class without a sample.
    """
    classes, count = shape
    cells = np.bincount(labels * count + answers, weights, minlength=classes * count)
    table = cells.reshape(shape).astype(np.float64)
    with np.errstate(invalid="ignore"):
        joint: Floats = table / (classes * table.sum(axis=1, keepdims=True))
    return joint


def mutual_information(joint: Floats) -> float:
    """Return I(Y; X) in bits of a joint distribution of shape (k, b)."""
    independent = np.outer(joint.sum(axis=1), joint.sum(axis=0))
    some = joint > 0
    return float((joint[some] * np.log2(joint[some] / independent[some])).sum())


@dataclass(frozen=True)
class Decomposition:
    """What two answers tell of the class, in bits; none is below 0.

    Attributes
    ----------
    redundant : float
        In each of the two.
    unique_first, unique_second : float
        In one alone.
    """

    redundant: float
    unique_first: float
    unique_second: float

    @property
    def union(self) -> float:
        """All of it: the least that both answers can tell, given what each tells."""
        return self.redundant + self.unique_first + self.unique_second


class UnsolvedError(ArithmeticError):
    """The solver found no solution of a convex programme."""


class Programme:
    """The convex programme for tables of one shape; built once, solved often.

    Parameters
    ----------
    classes, first, second : int
        Numbers of classes and of each answer's values.
    """

    def __init__(self, classes: int, first: int, second: int) -> None:
        # It takes a second to import, and views of results do not need it.
        import cvxpy as cp

        self._solver, self._failure = cp.CLARABEL, cp.error.SolverError
        self._solved = (cp.OPTIMAL, cp.OPTIMAL_INACCURATE)
        # Column i · second + j is for the answers i and j.
        self._joint: Any = cp.Variable((classes, first * second), nonneg=True)
        self._tables: Any = [
            cp.Parameter((classes, count), nonneg=True) for count in (first, second)
        ]
        answers: Any = cp.Variable(first * second)
        sums = (
            np.kron(np.eye(first), np.ones((second, 1))),
            np.kron(np.ones((first, 1)), np.eye(second)),
        )
        # The least information is the largest entropy of the class, given both answers. These have
        # a variable of their own, which keeps the cones sparse: six classes take a third of the
        # time.
        loss = cp.sum(cp.rel_entr(self._joint, cp.vstack([answers] * classes)))
        same = [self._joint @ some == table for some, table in zip(sums, self._tables, strict=True)]
        rows = cp.sum(self._joint, axis=0) == answers
        self._problem: Any = cp.Problem(cp.Minimize(loss), [rows, *same])

    def decompose(self, first: Floats, second: Floats) -> Decomposition:
        """Take apart what two answers tell of the class.

        Parameters
        ----------
        first, second : array, shapes (k, b₁) and (k, b₂)
            Joint distribution of the class and each answer; the class has the same shares in both.

        Raises
        ------
        UnsolvedError
            The solver found no solution.
        """
        alone = mutual_information(first), mutual_information(second)
        bits = math.log2(len(first))
        # What holds of every solution, held against the solver's last digits.
        union = min(max(self._least(first, second), *alone), sum(alone), bits)
        return Decomposition(sum(alone) - union, union - alone[1], union - alone[0])

    def _least(self, first: Floats, second: Floats) -> float:
        """Return min I_q(Y; X1, X2)."""
        for parameter, table in zip(self._tables, (first, second), strict=True):
            parameter.value = table
        with warnings.catch_warnings():
            # It is told where the last digits are not sure, which are not needed.
            warnings.simplefilter("ignore", UserWarning)
            try:
                self._problem.solve(solver=self._solver)
            except self._failure as error:
                reason = " ".join(str(error).split())
                raise UnsolvedError(f"the convex programme has no solution ({reason})") from None
        if self._problem.status not in self._solved:
            raise UnsolvedError(f"the convex programme has no solution ({self._problem.status})")
        # Of the distribution that was found: the solver's own value is infinite where one of its
        # probabilities is below 0 by a rounding.
        return mutual_information(np.maximum(self._joint.value, 0.0))
