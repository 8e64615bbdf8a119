"""The machine of a measurement: no host name, no user, no path, since reports are published."""

import platform
import subprocess
from pathlib import Path

from ..kernels.runtime.threads import usable_cores


def machine(threads: int | None = None) -> dict[str, str | int]:
    """Processor with its instruction sets, usable cores, threads (by default the current setting), system, and the versions that
    affect the numbers. Names such as "AMD EPYC" stand for several processors, and times depend on the instructions."""
    from importlib.metadata import version

    import tinycompress

    return {
        "cpu": _cpu_model(),
        "instructions": ", ".join(cpu_features()),
        "cores": usable_cores(),
        "threads": threads or tinycompress.get_num_threads(),
        "os": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "numba": version("numba"),
        "tinycompress": tinycompress.__version__,
    }


def machine_line(threads: int | None = None) -> str:
    """The machine in one line for the corner of a timing, as in "AMD EPYC 9B14, 1 thread on 2 cores"."""
    found = machine(threads)
    return f"{found['cpu']}, {_count(found['threads'], 'thread')} on {_count(found['cores'], 'core')}"


INSTRUCTIONS = {
    "AVX2": {"avx2"},
    "AVX-512": {"avx512f"},
    "VNNI": {"avx512vnni", "avxvnni"},
    "NEON": {"neon"},
    "dot products of bytes": {"dotprod"},
}
"""Instruction sets that decide how fast the kernels are, and LLVM's names for them."""


def cpu_features() -> list[str]:
    """The `INSTRUCTIONS` of the CPU that the kernels are compiled for, as in ["AVX2", "AVX-512", "VNNI"]."""
    from ..kernels.runtime.jit import host_cpu

    return [name for name, any_of in INSTRUCTIONS.items() if any_of & set(host_cpu()[1])]


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _cpu_model() -> str:
    try:
        if platform.system() == "Linux":
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        if platform.system() == "Darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, StopIteration, subprocess.CalledProcessError):
        pass
    return platform.processor() or platform.machine() or "unknown processor"
