"""Predictions that anyone has already made: a results json, or a folder of YOLO texts."""
