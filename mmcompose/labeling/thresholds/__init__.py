"""What ``method`` of the learned thresholds names: one way to cut a list of scores a file."""
