"""Nets that compute in 8-bit integers from end to end."""

from .convert import IntegerNet, to_integers

__all__ = ["IntegerNet", "to_integers"]
