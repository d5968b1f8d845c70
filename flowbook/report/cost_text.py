"""What a task cost, in words: "0.7 s of processor time; the process grew by 80.0 MB; output 842 kB". Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowbook.report.phrases import duration

if TYPE_CHECKING:
    from flowbook._utils.costs import Cost

__all__ = ["cost_text", "memory_text", "size_text"]


def cost_text(cost: Cost | None, output_bytes: int | None = None) -> str:
    """Return what an attempt cost; "" if nothing is known.

    Args:
        cost: of the attempt; None where it was too short to be told.
        output_bytes: size of its stored output.
    """
    parts = []
    if cost is not None:
        parts.append(f"{duration(cost.cpu_s)} of processor time")
    if cost is not None and cost.memory_bytes is not None:
        size = size_text(cost.memory_bytes)
        grew = "the process did not grow" if not cost.memory_bytes else f"the process grew by {size} meanwhile"
        parts.append(f"at most {size} of memory" if cost.is_own else grew)
    if output_bytes is not None:
        parts.append(f"output {size_text(output_bytes)}")
    return "; ".join(parts)


def memory_text(cost: Cost | None) -> str:
    """Return the memory of an attempt for a table: "41.2 MB", or "+41.2 MB" by which a shared process grew; "" if unknown."""
    if cost is None or cost.memory_bytes is None:
        return ""
    return f"{'' if cost.is_own or not cost.memory_bytes else '+'}{size_text(cost.memory_bytes)}"


def size_text(size_bytes: int) -> str:
    """Return a size with its unit: "41.2 MB"."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:  # noqa: PLR2004  # would round to 1000
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"  # noqa: PLR2004
        size /= 1000
    return f"{size:.1f} TB"
