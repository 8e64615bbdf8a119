"""Chapter 4, architecture design: one file per claim, in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "a1_depthwise",
    "a2_pointwise",
    "a3_counts",
    "a4_accuracy",
    "a5_low_rank",
)
