"""Chapter 1, network pruning: one file per claim, in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "p0_dropout",
    "p1_gradual",
    "p1c_digging",
    "p1b_criteria",
    "p2_irregular",
    "p3_sparse_speed",
    "p3b_gpu",
    "p4_neurons",
    "p4b_slimming",
    "p5_large_first",
    "p6_tickets",
)
