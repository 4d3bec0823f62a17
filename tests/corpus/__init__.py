"""Programs that put whole kinds of real and hostile input through Inkpost: `python -m tests.corpus <kind>`.

The input is found at `$INKPOST_CORPUS` (default `../shared/corpus`): any folder of `<kind>/MANIFEST.jsonl` and files.
"""
