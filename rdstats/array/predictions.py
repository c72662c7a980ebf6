"""From predictions to confusion matrices, and to the images that two models both get right."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rdstats.array.numeric import FloatArray, IntArray
from rdstats.array.validate import as_float, refuse
from rdstats.errors import InputError


def confusion_matrix(labels: ArrayLike, predictions: ArrayLike, *, classes: int) -> FloatArray:
    """Count predictions by true and predicted class.

    n[c, p] = number of images i with label_i = c and prediction_i = p

    Parameters
    ----------
    labels : array_like of int, shape (images,)
        True class of each image, 0 to C - 1.
    predictions : array_like of int, shape (..., images)
        Class that each of one or several models predicts, 0 to C - 1.
    classes : int
        Number of classes C.

    Returns
    -------
    ndarray, shape (..., C, C)
        Images by [true, predicted] class.

    Raises
    ------
    InputError
        If a class is no whole number in its range, or the shapes do not fit.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], classes=2).tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """
    truth, named = _classes("labels", labels, classes), _classes("predictions", predictions, classes)
    _check_shapes(truth, named)
    rows = named.reshape(-1, truth.size)
    result = np.empty((len(rows), classes, classes))
    for row, one in zip(result, rows, strict=True):  # a model at a time: no array of all images and models
        row[...] = np.bincount(truth * classes + one, minlength=classes**2).reshape(classes, classes)
    return result.reshape(*named.shape[:-1], classes, classes)


def both_correct(labels: ArrayLike, before: ArrayLike, after: ArrayLike, *, classes: int) -> FloatArray:
    """Count, class by class, the images that two models both get right.

    Parameters
    ----------
    labels : array_like of int, shape (images,)
        True class of each image, 0 to C - 1.
    before, after : array_like of int, shape (..., images)
        Predictions of the models; leading axes broadcast.
    classes : int
        Number of classes C.

    Returns
    -------
    ndarray, shape (..., C)
        Images.

    Raises
    ------
    InputError
        If a class is no whole number in its range, or the shapes do not fit.

    Examples
    --------
    >>> both_correct([0, 0, 1], [0, 1, 1], [0, 0, 1], classes=2).tolist()
    [1.0, 1.0]
    """
    truth = _classes("labels", labels, classes)
    one, two = _classes("before", before, classes), _classes("after", after, classes)
    for part in (one, two):
        _check_shapes(truth, part)
    one, two = np.broadcast_arrays(one, two)
    pairs = zip(one.reshape(-1, truth.size), two.reshape(-1, truth.size), strict=True)
    counts = [np.bincount(truth[(a == truth) & (b == truth)], minlength=classes) for a, b in pairs]
    return np.array(counts, np.float64).reshape(*one.shape[:-1], classes)


def _classes(name: str, value: ArrayLike, classes: int) -> IntArray:
    """Whole numbers from 0 to C - 1; integers are not copied through float64."""
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        values = as_float(name, array)
        refuse(name, values, ~(values == np.floor(values)), "classes are whole numbers")
        array = values.astype(np.int64)
    if array.size and (array.min() < 0 or array.max() >= classes):
        values = array.astype(np.float64)
        refuse(name, values, (values < 0) | (values >= classes), f"classes are 0 to {classes - 1}")
    return array.astype(np.int64, copy=False)


def _check_shapes(truth: IntArray, named: IntArray) -> None:
    if truth.ndim != 1 or not named.ndim or named.shape[-1] != truth.size:
        raise InputError(
            f"expected labels (images,) and predictions (..., images), received {truth.shape} and {named.shape}"
        )
