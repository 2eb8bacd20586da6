"""Label transforms that drop boxes."""
