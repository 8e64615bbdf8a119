"""Chapter 3, parameter quantization: one file per claim, in the lecture's order."""

from ..claim import of_files

CLAIMS = of_files(
    __name__,
    "q1_fewer_bits",
    "q2_clusters",
    "q3_huffman",
    "q4_binary",
    "q4b_overfitting",
    "q5_one_file",
    "q6_clock",
)
