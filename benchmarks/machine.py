"""Describe the machine and the library versions that affect speed, without host names or paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

PACKAGES = ("workings", "numpy", "scipy", "llvmlite", "torch", "jax", "jaxlib", "scikit-learn")
FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_tile", "neon", "asimd", "sve")


def describe() -> dict[str, Any]:
    """Return the description for the JSON file and the head of the report."""
    return {
        "processor": processor(),
        "cores": os.cpu_count(),
        "features": features(),
        "system": system(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "restricted": restricted(),
        "versions": versions(),
        "libraries": libraries(),
    }


def cpu_lines() -> dict[str, str]:
    """Return Linux's entries for the first core by name; empty on other systems."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().split("\n\n")[0].splitlines() if file.exists() else []
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def processor() -> str:
    """Return the model name of the processor."""
    return cpu_lines().get("model name") or platform.processor() or platform.machine()


def features() -> list[str]:
    """Return the relevant instruction sets of the processor, if they can be read."""
    lines = cpu_lines()
    known = (lines.get("flags") or lines.get("Features") or "").split()
    return [name for name in FEATURES if name in known]


def system() -> str:
    """Return the operating system and its version."""
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name}, {platform.machine()}"


def version(package: str) -> str | None:
    """Return the version of a package, or None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions() -> dict[str, str | None]:
    """Return the versions of the packages that are compared."""
    return {name: version(name) for name in PACKAGES}


def restricted() -> str:
    """Return how the processor's features are changed for this run; empty if they are not."""
    return os.environ.get("WORKINGS_CPU_FEATURES", "")


def libraries() -> list[dict[str, Any]]:
    """Return the loaded BLAS and OpenMP libraries and their threads, if threadpoolctl is installed."""
    try:
        from threadpoolctl import threadpool_info  # type: ignore[import-untyped, unused-ignore]
    except ImportError:
        return []
    wanted = ("internal_api", "version", "architecture", "threading_layer", "num_threads")
    return [{key: found[key] for key in wanted if key in found} for found in threadpool_info()]
