"""How much of a feature map one channel adds to the others: channel independence (Sui et al. 2021)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

STEP, SPAN = 0.3, 30.0
"""Distance of the nodes in log tau, and how far they reach below and above the largest singular value."""


def channel_independence(gram: Tensor) -> Tensor:
    r"""Return the independence of every channel: by how much the nuclear norm falls when its row is set to zero.

    CI_c = |A|_* - |A without row c|_*, A of C channels by H W pixels, |A|_* the sum of its singular values, is a
    function of the Gram matrix G = A A^T = U diag(\lambda) U^T.  With \mu the eigenvalues of G without row and column
    c, and u the c-th row of U, \sqrt x = (2/\pi) \int_0^\infty x/(x + \tau^2) d\tau and the secular equation
    \prod_j (\mu_j + t) / \prod_i (\lambda_i + t) = r_c(t) = \sum_i u_i^2 / (\lambda_i + t) give

        CI_c = \sum_i \sqrt{\lambda_i} - \sum_j \sqrt{\mu_j}
             = (2/\pi) \int_0^\infty f_c(\tau^2) d\tau,
        f_c(t) = 1 + t r_c'(t)/r_c(t) = \sum_i u_i^2 \lambda_i/(\lambda_i + t)^2 / r_c(t), from 0 to 1.

    One decomposition serves all channels, and nothing is subtracted.  In log \tau the integrand is analytic in a strip
    of half width \pi/2 whatever the eigenvalues are, so the trapezoidal rule errs by e^{-\pi^2/h}: with h = 0.3 by
    5e-15, and by e^{-30} for its ends, of the largest singular value.  Eigenvalues that are rounding errors beside the
    largest one are zero.

    Parameters
    ----------
    gram : float64 (..., C, C), symmetric, no negative eigenvalues but by rounding.

    Returns
    -------
    Tensor
        float64 (..., C), not negative; exactly 0 for a channel that is zero everywhere.

    References
    ----------
    Y. Sui, M. Yin, Y. Xie, H. Phan, S. Zonouz, B. Yuan (2021). CHIP: CHannel Independence-based Pruning for Compact
    Neural Networks. NeurIPS 34, section 3.

    Examples
    --------
    >>> import torch
    >>> maps = torch.tensor([[3.0, 0, 0], [0, 2, 0], [0, 0, 0]], dtype=torch.float64)
    >>> [round(x, 9) for x in channel_independence(maps @ maps.T).tolist()]
    [3.0, 2.0, 0.0]
    """
    eigenvalues, vectors = torch.linalg.eigh(gram)
    largest = eigenvalues[..., -1:].clamp_min(torch.finfo(gram.dtype).tiny)
    eigenvalues = eigenvalues / largest
    noise = gram.shape[-1] * torch.finfo(gram.dtype).eps
    eigenvalues = torch.where(eigenvalues > noise, eigenvalues, 0.0).unsqueeze(-1)
    n_nodes = round(2 * SPAN / STEP) + 1
    tau = torch.exp(torch.linspace(-SPAN, SPAN, n_nodes, dtype=gram.dtype, device=gram.device))
    weights = vectors**2
    terms = (eigenvalues + tau**2).reciprocal_()  # in place from here on: these are the largest arrays
    below = weights @ terms
    integrand = (weights @ terms.square_().mul_(eigenvalues)).div_(below)
    scores = (2 / math.pi * STEP) * (integrand @ tau) * largest.sqrt()
    return torch.where(gram.diagonal(dim1=-2, dim2=-1) == 0, 0.0, scores)
