"""`inkpost mail`: talks to the bot as a user would, for trying and debugging."""

from __future__ import annotations

import asyncio
import atexit
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from bot.cli.shared import ConfigPath, configuration
from bot.correspondent import Correspondent, Reply, open_correspondent
from bot.logs import LogSettings, set_up_logs
from bot.loops import run_loop
from core.errors import BadRequest, BotError, Unavailable

HISTORY = Path("~/.inkpost_history")
HELP = """\
A line is the subject of a mail; its answer is shown, and not sent.
> text          a reply to the last answer: > 2, > yes
:attach <file>  goes with the next mail; an empty line then mails it alone
:tap <n>        presses the n-th link of the last answer
:html [file]    writes the last answer as a page
:quit           ends, and so does the end of the input"""


def mail(*, as_: Annotated[str, Parameter(name="--as")] = "", config: ConfigPath = None) -> None:
    """Write to the bot as a user would, a line a mail, and read its answers; :help says more.

    Each mail is accepted, processed and answered as any other, by the service that runs, or by a worker of its own
    where none does. The answers are shown here and not sent; what commands send (books, notices) is sent. With a file
    or a pipe as input there are no prompts, and the exit code is 1 if anything could not be done.

    Parameters
    ----------
    as_:
        The address of the user; the only one where not given.
    """
    settings = configuration(config)
    set_up_logs(LogSettings(level="error", style=settings.log.style), stream=sys.stderr)

    async def main() -> int:
        async with open_correspondent(settings, address=as_) as correspondent:
            return await Terminal(correspondent).run()

    sys.exit(run_loop(main()))


@dataclass
class Terminal:
    """Lines in, answers out."""

    correspondent: Correspondent
    failures: int = 0

    async def run(self) -> int:
        """Until the end of the input or `:quit`; the exit code."""
        is_interactive = sys.stdin.isatty()
        if is_interactive:
            _remember_lines()
            print(f"You are {self.correspondent.address}. :help says what you can do here.")
        read = _prompted if is_interactive else sys.stdin.readline
        while (line := await _read(read)) and line.strip() != ":quit":
            try:
                await self._obey(line.rstrip("\r\n"))
            except (BotError, Unavailable, OSError) as error:
                self.failures += 1
                print(_told(error), file=sys.stderr)
        return 1 if self.failures else 0

    async def _obey(self, line: str) -> None:
        """Raises `BotError` and `OSError` for what cannot be done."""
        word, _, rest = line.strip().partition(" ")
        match word:
            case "" if not self.correspondent.attached:
                return
            case ":help":
                print(HELP)
            case ":attach":
                self.correspondent.attached.append(_existing(rest))
            case ":tap":
                _show(await self.correspondent.tap(int(rest[:9]) if rest.isdecimal() else 0))
            case ":html":
                self._write_page(Path(rest or "answer.html"))
            case ">":
                _show(await self.correspondent.reply(rest))
            case _ if word.startswith(":"):
                raise BadRequest(f"{word} is nothing that I know.", fix=":help says what there is.")
            case _:
                _show(await self.correspondent.write(line.strip()))

    def _write_page(self, path: Path) -> None:
        if self.correspondent.last is None:
            raise BadRequest("There is no answer yet.", fix="Write a line first.")
        path.write_text(self.correspondent.last.html, "utf-8")
        print(path.resolve())


def _show(reply: Reply | str) -> None:
    if isinstance(reply, str):
        print(reply, end="\n\n")
        return
    print(f"Subject: {reply.subject}\n\n{reply.text.strip()}\n")
    for number, link in enumerate(reply.links, start=1):
        print(f"  :tap {number}  {link.subject}")
    print()


def _existing(name: str) -> Path:
    path = Path(name.strip()).expanduser()
    if not path.is_file():
        raise BadRequest(f"{name or '(nothing)'}: there is no such file.")
    return path


def _told(error: Exception) -> str:
    return f"{error.text} {error.fix}".strip() if isinstance(error, BotError) else str(error)


def _prompted() -> str:
    """A line with its end, "" at the end of the input."""
    try:
        return input("mail> ") + "\n"
    except EOFError:
        return ""


async def _read(read: Callable[[], str]) -> str:
    """A line, read in a thread of its own, which ends with the program: one of a pool would be waited for."""
    loop = asyncio.get_running_loop()
    line: asyncio.Future[str] = loop.create_future()

    def run() -> None:
        text = read()
        loop.call_soon_threadsafe(lambda: None if line.done() else line.set_result(text))

    threading.Thread(target=run, daemon=True, name="input").start()
    return await line


def _remember_lines() -> None:
    """Arrow keys bring back what was written, also the last time."""
    import readline  # not for `serve`

    history = HISTORY.expanduser()
    history.touch(mode=0o600)
    readline.read_history_file(history)
    readline.set_history_length(1000)
    atexit.register(readline.write_history_file, history)
