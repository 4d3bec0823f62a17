"""Book files: what they are, what they say of themselves, reading them under limits. Pure: no rows, no network."""
