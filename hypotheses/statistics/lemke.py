"""Lemke's complementary pivoting: the exact optimum of a small concave programme.  [statistics 7.2]

Find z >= 0 with w = M z + q >= 0 and z'w = 0.  For the Karush-Kuhn-Tucker system of a convex quadratic programme that
is feasible and bounded the method ends at a solution (Lemke 1965; Cottle, Pang and Stone 1992, section 4.4).  The same
lines run on float64, to find the active set quickly, and on arrays of Decimal, where nothing is rounded that matters.
Only elementwise + - * / and comparisons are used.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arguments import require_length
from engine.errors import CmeError, UsageError

Matrix = NDArray[Any]
"""float64, or Decimal in an object array."""


def lemke(matrix: Matrix, constant: Matrix, zero: Any) -> tuple[int, ...] | None:
    """Return the variables z that are basic at a solution of the complementarity problem (Lemke 1965).

    Parameters
    ----------
    matrix : Matrix, shape (n, n)
        M, float64 or Decimal in an object array.
    constant : Matrix, shape (n,)
        q, of the same type.
    zero : number
        The size under which a pivot counts as nothing, of the type of the entries.

    Returns
    -------
    tuple[int, ...] or None
        The numbers of the basic variables, ascending; () where z = 0 is a solution, None where pivoting stalls.

    Raises
    ------
    UsageError
        If ``matrix`` is not square, ``constant`` not as long, or an entry NaN.

    Notes
    -----
    Ties of the ratio test are broken in favour of the artificial variable, then lexicographically, which rules out
    cycling (Cottle, Pang and Stone 1992, section 4.9).

    Examples
    --------
    >>> lemke(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([-5.0, -6.0]), 1e-11)
    (0, 1)
    >>> lemke(np.array([[1.0]]), np.array([3.0]), 1e-11)
    ()
    """
    _require_square(matrix, constant)
    size = len(constant)
    unit = zero - zero + 1
    tableau = np.concatenate(
        [_identity(size, unit), -matrix, np.full((size, 1), -unit, dtype=constant.dtype), constant[:, None]], axis=1
    )
    basis = list(range(size))  # 0 .. size-1 are w, then z, then the artificial variable
    artificial = 2 * size
    # the artificial variable enters at the most negative slack, which makes the start feasible
    row = int(np.argmin(constant))
    if constant[row] >= 0:
        return ()
    entering = artificial
    # far above the pivots such a programme needs; a guard against an endless walk in floats
    for _ in range(50 * (size + 1)):
        _pivot(tableau, row, entering)
        leaving, basis[row] = basis[row], entering
        if leaving == artificial:
            return tuple(sorted(v - size for v in basis if v >= size))
        entering = leaving + size if leaving < size else leaving - size
        limiting = _ratio_test(tableau, entering, basis, artificial, zero)
        if limiting is None:
            return None
        row = limiting
    return None


def solve(matrix: Matrix, constant: Matrix) -> Matrix:
    """Return the solution of a linear system by elimination with row pivoting, for Decimal entries.

    Parameters
    ----------
    matrix : Matrix, shape (n, n)
        Decimal in an object array.
    constant : Matrix, shape (n,)
        Decimal in an object array.

    Returns
    -------
    Matrix, shape (n,)
        x with ``matrix x = constant``, in the precision of the caller's decimal context.

    Raises
    ------
    UsageError
        If ``matrix`` is not square, ``constant`` not as long, or an entry NaN.
    CmeError
        If ``matrix`` is singular.

    Examples
    --------
    >>> from decimal import Decimal
    >>> matrix = np.array([[Decimal(2), Decimal(1)], [Decimal(1), Decimal(3)]])
    >>> [int(x) for x in solve(matrix, np.array([Decimal(5), Decimal(10)]))]
    [1, 3]
    """
    _require_square(matrix, constant)
    size = len(constant)
    table = np.concatenate([matrix, constant[:, None]], axis=1)
    for column in range(size):
        # The largest pivot loses the fewest digits.
        row = column + int(np.argmax(np.abs(table[column:, column])))
        if table[row, column] == 0:
            raise CmeError(f"expected an active set of full rank, was singular at column {column} of {size}")
        table[[column, row]] = table[[row, column]]
        table[column] = table[column] / table[column, column]
        for other in range(size):
            if other != column and table[other, column] != 0:
                table[other] = table[other] - table[column] * table[other, column]
    return np.asarray(table[:, -1])


def _require_square(matrix: Matrix, constant: Matrix) -> None:
    """Refuse what is no square system."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UsageError(f"matrix: expected shape (n, n), was {matrix.shape}")
    require_length("constant", constant, len(matrix), "matrix has rows")
    for name, entries in (("matrix", matrix), ("constant", constant)):
        # NaN is the one number that differs from itself, in floats and in decimals
        if (entries != entries).any():
            raise UsageError(
                f"{name}: expected numbers, was NaN at {tuple(np.argwhere(entries != entries)[0].tolist())}"
            )


def _identity(size: int, unit: Any) -> Matrix:
    table = np.full((size, size), unit - unit)
    np.fill_diagonal(table, unit)
    return table


def _pivot(tableau: Matrix, row: int, column: int) -> None:
    """Make ``column`` the unit vector of ``row``, in place."""
    tableau[row] = tableau[row] / tableau[row, column]
    others = tableau[:, column].copy()
    others[row] = others[row] - others[row]
    tableau -= others[:, None] * tableau[row]


def _ratio_test(tableau: Matrix, entering: int, basis: list[int], artificial: int, zero: Any) -> int | None:
    """Return the row that leaves when ``entering`` grows, or None where none limits it."""
    column = tableau[:, entering]
    # Only a growing entry limits: the others let the variable rise for ever.
    rows = np.flatnonzero(column > zero)
    if not len(rows):
        return None
    ratios = tableau[rows, -1] / column[rows]
    # Ties up to rounding: in floats equal ratios differ in their last digits.
    rows = rows[ratios <= ratios.min() + zero]
    for row in rows.tolist():
        if basis[row] == artificial:
            return int(row)
    # lexicographic order over the columns of the initial basis is what rules out cycling
    for lexical in range(len(basis)):
        if len(rows) == 1:
            break
        ratios = tableau[rows, lexical] / column[rows]
        rows = rows[ratios <= ratios.min()]
    return int(rows[0])
