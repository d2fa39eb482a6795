"""Principal components without a linear algebra library: the same bits on every machine.  [audit 10.2]

Covariance by ``math.fsum`` in index order, cyclic Jacobi rotations in plain floats with + - * / and sqrt only, a fixed
order of sweeps.  `numpy.linalg.eigh` is the oracle in the tests, to 1e-9.  Golub and Van Loan (2013), section 8.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Matrix = list[list[float]]

MAX_SWEEPS = 64
"""More than an order of magnitude above what a symmetric matrix of a few tens of rows needs."""

TIE = 1e-12
"""A sign rule whose deciding quantity is smaller falls back on the entry of largest modulus.  [statistics R9.3]"""


def covariance(rows: Sequence[Sequence[float]]) -> Matrix:
    """Return the covariance ``[m, m]`` of the columns of ``rows`` ``[n, m]`` (divisor n - 1), exactly symmetric.

    NaN in a column gives NaN in its row and column.  Raises ``ValueError`` for fewer than two rows.
    """
    n = len(rows)
    if n < 2:
        raise ValueError(f"expected at least 2 rows for a covariance, was {n}")
    width = len(rows[0])
    means = [math.fsum(row[i] for row in rows) / n for i in range(width)]
    centred = [[row[i] - means[i] for i in range(width)] for row in rows]
    out = [[0.0] * width for _ in range(width)]
    for i in range(width):
        for j in range(i, width):
            out[i][j] = out[j][i] = math.fsum(row[i] * row[j] for row in centred) / (n - 1)
    return out


def symmetric_eigen(matrix: Sequence[Sequence[float]]) -> tuple[list[float], Matrix]:
    """Return (eigenvalues ``[m]``, unit eigenvectors as rows ``[m, m]``) of a symmetric matrix ``[m, m]``.

    Eigenvalues descend (ties by index).  Cyclic Jacobi: sweep the pairs (p, q), p < q, in row order until the sum of
    the off-diagonal squares is below 1e-40 of the diagonal's.  The sign of a vector is arbitrary; see `signed`.
    """
    n = len(matrix)
    # The mean of both triangles: an input that is symmetric up to rounding becomes exactly so.
    a = [[0.5 * (matrix[i][j] + matrix[j][i]) for j in range(n)] for i in range(n)]
    vectors = [[1.0 if i == j else 0.0 for j in range(n)] for i in range(n)]
    for _ in range(MAX_SWEEPS):
        off = math.fsum(a[i][j] * a[i][j] for i in range(n) for j in range(n) if i != j)
        size = math.fsum(a[i][i] * a[i][i] for i in range(n))
        if off == 0.0 or off <= size * 1e-40:
            break
        for p in range(n - 1):
            for q in range(p + 1, n):
                _rotate(a, vectors, p, q)
    values = [a[i][i] for i in range(n)]
    order = sorted(range(n), key=lambda i: (-values[i], i))
    return [values[i] for i in order], [[vectors[k][i] for k in range(n)] for i in order]


def _rotate(a: Matrix, vectors: Matrix, p: int, q: int) -> None:
    """Annihilate ``a[p][q]`` by one rotation, in place."""
    if a[p][q] == 0.0:
        return
    theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q])
    # The smaller root: a rotation of at most 45 degrees.  For a huge theta its square may overflow to infinity, t to 0.
    t = 1.0 / (abs(theta) + math.sqrt(theta * theta + 1.0))
    if theta < 0.0:
        t = -t
    c = 1.0 / math.sqrt(t * t + 1.0)
    s = t * c
    n = len(a)
    shift = t * a[p][q]
    a[p][p] -= shift
    a[q][q] += shift
    a[p][q] = a[q][p] = 0.0
    for k in range(n):
        if k not in (p, q):
            left, right = a[k][p], a[k][q]
            a[k][p] = a[p][k] = c * left - s * right
            a[k][q] = a[q][k] = s * left + c * right
        left, right = vectors[k][p], vectors[k][q]
        vectors[k][p] = c * left - s * right
        vectors[k][q] = s * left + c * right


def signed(vector: Sequence[float], factor: int) -> list[float]:
    """Return ``vector`` with the sign of its factor: 0 level, 1 slope, 2 curvature; others by modulus.  [R9.3]

    Level: the sum is positive.  Slope: last minus first.  Curvature: the entry (m-1)//2 minus the mean of the ends.
    Below 1e-12 in modulus the entry of largest modulus, the first on ties, is made positive.
    """
    m = len(vector)
    if factor == 0:
        decides = math.fsum(vector)
    elif factor == 1:
        decides = vector[-1] - vector[0]
    elif factor == 2:
        decides = vector[(m - 1) // 2] - 0.5 * (vector[0] + vector[-1])
    else:
        decides = 0.0
    if abs(decides) < TIE:
        # -i: of equal moduli the first.  [R9.3]
        decides = vector[max(range(m), key=lambda i: (abs(vector[i]), -i))]
    return [-x for x in vector] if decides < 0.0 else list(vector)


def principal_components(curves: Sequence[Sequence[float]]) -> tuple[list[float], Matrix, list[float]]:
    """Return (mean ``[m]``, loadings as rows ``[m, m]``, eigenvalues ``[m]``) of ``curves`` ``[D, m]``, one row a day.

    The mean is that of the curves; the components are those of their first differences, eigenvalues descending, signed
    by `signed`.  [statistics R9.2, R9.3]  Raises ``ValueError`` for fewer than three curves.
    """
    if len(curves) < 3:
        raise ValueError(f"expected at least 3 curves for principal components, was {len(curves)}")
    width = len(curves[0])
    mean = [math.fsum(curve[i] for curve in curves) / len(curves) for i in range(width)]
    steps = [[b[i] - a[i] for i in range(width)] for a, b in pairwise(curves)]
    values, vectors = symmetric_eigen(covariance(steps))
    return mean, [signed(vector, factor) for factor, vector in enumerate(vectors)], values
