"""The compute backend: from a grid file to a confusion-matrix cube (needs the `compute` extra)."""
