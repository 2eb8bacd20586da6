"""Models that MMDetection lacks, as ordinary modules of it."""
