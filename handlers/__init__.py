"""One file for each e-mail command, found by scanning this package."""
