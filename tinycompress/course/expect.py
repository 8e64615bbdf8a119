"""Checks of an answer, with messages that a student can learn from. Each raises AssertionError if it fails.

An answer is anything that the wire carries: None, booleans, numbers, strings, bytes, arrays, and lists, tuples and dicts
of them. A test first checks the type with these functions, so that a wrong type is the student's error, not the test's.
"""

import math

import numpy as np

from .outcome import SubmissionRaised

KINDS = {"bool": "b", "int": "iu", "float": "f", "number": "iuf"}


def expect_array(value, shape: tuple | None = None, kind: str = "number", name: str = "the result") -> np.ndarray:
    """Return the value if it is a finite array of this shape (None: any length) and kind (bool, int, float or number)."""
    value = _array(value, shape, kind, name)
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise AssertionError(f"{name} holds NaN or infinity")
    return value


def _array(value, shape, kind, name) -> np.ndarray:
    """The value if it is an array of this shape and kind, whether or not it is finite."""
    if not isinstance(value, np.ndarray):
        raise AssertionError(f"{name} should be a NumPy array, but it is {described(value)}")
    if shape is not None:
        fits = value.ndim == len(shape) and all(
            want in (None, have) for want, have in zip(shape, value.shape, strict=True)
        )
        if not fits:
            wanted = str(tuple("any" if n is None else n for n in shape)).replace("'", "")
            raise AssertionError(f"{name} should have the shape {wanted}, but it has the shape {value.shape}")
    if value.dtype.kind not in KINDS[kind]:
        raise AssertionError(f"{name} should hold {kind} values, but its dtype is {value.dtype}")
    return value


def expect_number(value, name: str = "the result") -> int | float:
    """Return the value if it is a finite int or float; a zero-dimensional array counts as its element."""
    value = _number(value, name)
    if isinstance(value, float) and not math.isfinite(value):
        raise AssertionError(f"{name} should be finite, but it is {value}")
    return value


def _number(value, name) -> int | float:
    """The value if it is an int or a float, whether or not it is finite."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AssertionError(f"{name} should be a number, but it is {described(value)}")
    return value


def expect_tuple(value, length: int, name: str = "the result") -> tuple:
    """Return the value as a tuple if it is a tuple or list with this many elements."""
    if not isinstance(value, tuple | list) or len(value) != length:
        raise AssertionError(f"{name} should be a tuple of {length}, but it is {described(value)}")
    return tuple(value)


def expect_close(value, expected, message: str, rtol: float = 1e-5, atol: float = 1e-7, name: str = "the result"):
    """Check that every element of an array or number is within atol + rtol * |expected| of the expected one.

    Elements are compared as real numbers, whatever their types: integers neither wrap nor round. Only the same infinity is
    close to an infinity, and nothing is close to NaN. If not, AssertionError says `message`; `name` is what a wrong type
    or shape is reported for.
    """
    expected = np.asarray(expected)
    value = _number(value, name) if expected.ndim == 0 else _array(value, expected.shape, "number", name)
    value, expected = np.asarray(value, np.longdouble), np.asarray(expected, np.longdouble)
    finite = np.isfinite(expected)
    if np.isnan(value).any() or np.isinf(value[finite]).any():
        raise AssertionError(f"{name} holds NaN or infinity")
    with np.errstate(all="ignore"):
        close = np.abs(value - expected) <= atol + rtol * np.abs(expected)
    if not np.where(finite, close, value == expected).all():
        raise AssertionError(message)


def expect_equal(value, expected, message: str):
    """Check that the value is the expected one: anything that the wire carries, nested or not. Cannot raise but to say so.

    Numbers are compared as real numbers, whatever their types, but True is no 1. A list equals a tuple of the same
    elements. Arrays equal arrays of the same shape only. NaN equals nothing.
    """
    if not _equal(value, expected):
        raise AssertionError(message)


def _equal(value, expected) -> bool:
    value, expected = (x.item() if _is_scalar(x) else x for x in (value, expected))
    if isinstance(value, np.ndarray) and isinstance(expected, np.ndarray):
        kinds = {array.dtype.kind.replace("u", "i").replace("i", "f") for array in (value, expected)}
        if value.shape != expected.shape or len(kinds) > 1:
            return False
        exact = np.longdouble if kinds == {"f"} else None
        return bool((np.asarray(value, exact) == np.asarray(expected, exact)).all())
    if isinstance(value, list | tuple) and isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(map(_equal, value, expected))
    if isinstance(value, dict) and isinstance(expected, dict):
        return value.keys() == expected.keys() and all(_equal(value[key], expected[key]) for key in expected)
    number = {int, float}
    if type(value) is type(expected) or {type(value), type(expected)} <= number:
        return not isinstance(value, np.ndarray) and bool(value == expected)
    return False


def _is_scalar(value) -> bool:
    return isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)


def expect_error(error: type[Exception], function, *arguments, message: str = "", **keywords):
    """Check that the submission's function raises this built-in error for these arguments."""
    try:
        function(*arguments, **keywords)
    except SubmissionRaised as raised:
        if raised.type == error.__name__:
            return
        raise
    raise AssertionError(message or f"{error.__name__} should be raised here, but a result was returned")


def expect_unchanged(submission, message: str = ""):
    """Check that the submission's last call left its arguments as they were."""
    if submission.changed:
        names = [f"argument {name + 1}" if isinstance(name, int) else name for name in submission.changed]
        raise AssertionError(message or f"{', '.join(names)} should not be changed: work on a copy")


def described(value) -> str:
    """Describe a value's type and size for messages, as in "a list of 3"."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"of type {type(value).__name__}"
