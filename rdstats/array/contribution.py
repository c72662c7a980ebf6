"""What each class contributes to the slope of its network."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, divide
from rdstats.array.slope import pair_of, pair_sums


def slope_contribution(bn_before: ArrayLike, bn_after: ArrayLike, present: ArrayLike | None = None) -> FloatArray:
    """Contribution of a class to the slope, Bn_c Bn'_c / sum_k Bn_k^2.

    Contributions add up to the slope alpha. Each is the class's weight Bn_c^2 / sum_k Bn_k^2 times its
    intensification ratio I_c = Bn'_c / Bn_c.

    Parameters
    ----------
    bn_before, bn_after : array_like, shape (..., C)
        Normalised balances of a network before and after compression. Given `bn_before` twice, the result is
        the weights.
    present : array_like of bool, shape (..., C), optional
        Classes that were tested in both networks, see `slope`.

    Returns
    -------
    ndarray, shape (..., C)
        Dimensionless; negative where a class crossed the reference score. NaN for classes that were not
        tested, and throughout where the slope is NaN (with the reason that `slope_reason` gives).

    Raises
    ------
    InputError
        If the shapes do not fit or `present` is not boolean.

    Notes
    -----
    Paper, section 5: the slope is the mean of I_c weighted by Bn_c^2.

    Examples
    --------
    >>> slope_contribution([3.0, 0.0, -4.0], [5.0, 3.0, -2.5]).tolist()
    [0.6, 0.0, 0.4]
    """
    pair = pair_of(bn_before, bn_after, present)
    sums = pair_sums(pair)
    return divide(pair.x * pair.y, sums.xx[..., np.newaxis], sums.usable[..., np.newaxis] & pair.here)
