"""The machine and the versions, as far as they matter for speed; no names and no paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("workings", "numpy", "scipy", "numba", "torch", "jax", "jaxlib", "scikit-learn")
FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "neon", "asimd", "sve")


def describe() -> dict[str, Any]:
    """Everything, for the JSON and the head of the table."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "features": features(),
        "system": system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "versions": {name: version(name) for name in PACKAGES},
        "libraries": libraries(),
    }


def cpu_lines() -> dict[str, str]:
    """What Linux says of the first core, by name; nothing elsewhere."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().split("\n\n")[0].splitlines() if file.exists() else []
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def processor() -> str:
    """The model's name."""
    return cpu_lines().get("model name") or platform.processor() or platform.machine()


def features() -> list[str]:
    """Which of the instruction sets that matter it has, where that can be read."""
    lines = cpu_lines()
    known = (lines.get("flags") or lines.get("Features") or "").split()
    return [name for name in FEATURES if name in known]


def system() -> str:
    """The operating system and its version."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def version(package: str) -> str | None:
    """The version of a package, None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def libraries() -> list[dict[str, Any]]:
    """The BLAS and OpenMP libraries that this process has loaded, and their threads, where threadpoolctl can tell."""
    try:
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return []
    wanted = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    return [{key: found[key] for key in wanted if key in found} for found in threadpool_info()]
