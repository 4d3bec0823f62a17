"""Mail as text and values: pure, knows no rows."""
