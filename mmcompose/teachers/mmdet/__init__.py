"""MMDetection's detectors as teachers."""
