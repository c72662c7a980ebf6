"""Families of hypothesis tests: declared members, one correction, one result."""

from rdstats.families.declare import (
    FAMILIES,
    arch_family,
    dataset_family,
    declare,
    matched_family,
    method_by_arch_family,
    method_family,
    ratio_family,
)
from rdstats.families.family import PAIRINGS, QUANTITIES, Family, Member
from rdstats.families.run import run_family

__all__ = [
    "FAMILIES",
    "PAIRINGS",
    "QUANTITIES",
    "Family",
    "Member",
    "arch_family",
    "dataset_family",
    "declare",
    "matched_family",
    "method_by_arch_family",
    "method_family",
    "ratio_family",
    "run_family",
]
