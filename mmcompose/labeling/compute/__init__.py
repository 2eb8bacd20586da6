"""What label transforms compute with: arrays in, arrays out."""
