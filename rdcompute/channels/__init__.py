"""Channels of residual networks: how independent each is, which stay, and the smaller network of those."""
