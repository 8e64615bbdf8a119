"""Chapter 5, dynamic computation. A claim is a file; they are listed in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "y1_exits",
    "y2_width",
    "y3_easy_images",
    "y4_budget",
)
