"""Cells on Dask workers, wherever these are: another way to carry out the same cells as `rdcompute.processes`."""
