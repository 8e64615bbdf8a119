"""Chapter 5, dynamic computation: one file per claim, in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "y1_exits",
    "y2_width",
    "y3_easy_images",
    "y4_budget",
)
