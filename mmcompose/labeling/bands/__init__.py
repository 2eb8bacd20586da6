"""Which boxes teach, and how much."""
