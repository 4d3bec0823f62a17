"""Every kind of mail that people get, looked at in a real browser: `python -m tests.pages`."""
