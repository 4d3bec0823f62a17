"""Benchmarks as programs: `python -m tests.bench <name> [options]`. Their figures stand in docs/performance.md."""
