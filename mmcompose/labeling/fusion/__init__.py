"""Label transforms that make one set of boxes of several teachers'."""
