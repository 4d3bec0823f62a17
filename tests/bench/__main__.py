"""`python -m tests.bench <name> [options]`; `all --short` runs each of them in seconds, to see that they run.

A benchmark is a module of this folder with `main(argv) -> int`, its exit status; it takes `--short`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import tests.bench


def main(argv: list[str]) -> int:
    names = sorted(module.name for module in pkgutil.iter_modules(tests.bench.__path__) if module.name[0] != "_")
    if not argv or argv[0] not in (*names, "all"):
        print(f"usage: python -m tests.bench {{{','.join((*names, 'all'))}}} [options]", file=sys.stderr)
        return 2
    wanted = names if argv[0] == "all" else [argv[0]]
    worst = 0
    for name in wanted:
        print(f"# {name}", flush=True)
        worst = max(worst, importlib.import_module(f"tests.bench.{name}").main(argv[1:]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
