"""The command line `rd`: parses, calls, prints."""
