"""The command line: `inkpost`. A verb that operators need is one function; each file is one noun."""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Literal, NoReturn

import cyclopts
import sqlalchemy as sa

from bot.cli.importing import import_
from bot.cli.inbox import inbox
from bot.cli.jobs import jobs
from bot.cli.mail import mail
from bot.cli.outbox import outbox
from bot.cli.service import service_commands
from bot.cli.shared import fail
from bot.cli.storage import storage
from bot.cli.user import user
from bot.config import ConfigMistakes
from bot.transactions import outages
from core.errors import BotError, InkpostError, Unavailable

app = cyclopts.App(
    name="inkpost",
    help="A library and a morning paper that people use by e-mail.",
    help_format="plaintext",
    version=lambda: importlib.metadata.version("inkpost"),
)
for noun in (user, inbox, outbox, jobs, storage):
    app.command(noun)
for verb in service_commands:
    app.command(verb)
app.command(import_, name="import")
app.command(mail)


@app.command
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print what has a shell finish the words of this command line: source <(inkpost completion bash).

    Parameters
    ----------
    shell:
        bash, zsh or fish
    """
    sys.stdout.write(app.generate_completion(prog_name="inkpost", shell=shell))


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run what was asked for; exit 0, or 1 with a sentence on stderr."""
    try:
        with outages():
            app(arguments)
    except ConfigMistakes as error:
        fail("The configuration has mistakes:", *(f"  {mistake}" for mistake in error.mistakes))
    except BotError as error:
        fail(error.text, *([error.fix] if error.fix else []))
    except Unavailable as error:
        fail(f"Not now: {error}")
    except InkpostError as error:
        fail(str(error))
    except UnicodeEncodeError as error:  # Python keeps octets that are no UTF-8 as lone surrogates
        fail(f"{error.object!a} is no text: write it in UTF-8.")
    except sa.exc.ArgumentError as error:
        fail(f"database_url: {error}")
    except OSError as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells say it
    sys.exit(0)


__all__ = ["app", "main"]
