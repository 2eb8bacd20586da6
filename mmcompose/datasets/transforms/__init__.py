"""Transforms of images and labels that MMDetection lacks."""
