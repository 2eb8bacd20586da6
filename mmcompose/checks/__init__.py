"""A config is looked at before anything is made; all its mistakes are reported at once."""
