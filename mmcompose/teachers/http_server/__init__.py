"""A detector behind an HTTP server: the teacher, the connection, and what an answer holds."""
