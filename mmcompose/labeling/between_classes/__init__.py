"""One object, one name: boxes of different classes in one place."""
