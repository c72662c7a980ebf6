"""Say in words where two nested descriptions differ."""

from rdstats.differences import describe_differences

__all__ = ["describe_differences"]
