"""`python -m bot` is `inkpost`."""

from bot.cli import main

main()
