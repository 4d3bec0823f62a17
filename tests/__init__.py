"""Everything that holds Inkpost to its word. A package, so that what tests share has one name for pytest and mypy."""
