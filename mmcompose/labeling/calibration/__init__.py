"""Scores become comparable, or chances."""
