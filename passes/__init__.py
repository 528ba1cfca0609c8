"""The compiler passes, one rewrite or analysis per file."""
