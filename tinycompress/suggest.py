"""The likely meaning of a name that is not known."""

from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The end of an error message, "; did you mean 'x'?", with the known name closest to `name`; "" if none is close.

    Case does not count. `cutoff`, from 0 to 1, is the least similarity, as in `difflib.get_close_matches`.
    """
    import difflib  # some milliseconds, which only an error is to cost

    known = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=cutoff)
    return f"; did you mean {known[near[0]]!r}?" if near else ""
