"""Chapter 2, knowledge distillation: one file per claim, in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "d1_outputs",
    "d1b_imperfect_teacher",
    "d1c_worth",
    "d2_unseen",
    "d3_ensemble",
    "d4_temperature",
    "d5_hints",
)
