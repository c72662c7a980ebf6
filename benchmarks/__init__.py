"""Speed, measured as ratios within one run.  `python -m benchmarks` runs all and prints one table."""
