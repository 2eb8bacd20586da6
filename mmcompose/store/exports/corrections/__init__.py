"""Corrected labels, read back from the tools that they were exported to: a file a tool."""

from mmcompose.store.exports.corrections.read import read_corrections

__all__ = ['read_corrections']
