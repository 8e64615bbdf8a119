"""All chapters together: one file per claim, in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "c1_three_numbers",
    "c2_who_pays",
)
