"""The service as a process that can be killed: its arguments are the folder, the relay's port and its own."""

from __future__ import annotations

import sys
from pathlib import Path

from bot.app import open_app
from bot.intake.smtp_settings import SmtpSettings
from bot.logs import LogSettings, set_up_logs
from bot.loops import run_loop
from bot.serve import serve
from tests.support.service import service_config


async def main(folder: Path, *, relay_port: int, smtp_port: int) -> None:
    config = service_config(folder, relay_port=relay_port, smtp=SmtpSettings(port=smtp_port))
    async with open_app(config) as app:
        await serve(app)


def run() -> None:
    """Serve until SIGTERM, or whatever comes first."""
    set_up_logs(LogSettings(level="warning", style="console"), stream=sys.stderr)
    run_loop(main(Path(sys.argv[1]), relay_port=int(sys.argv[2]), smtp_port=int(sys.argv[3])))
