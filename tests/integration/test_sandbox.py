"""The sandbox with real worker processes: what functions do to them, and what that does to everybody else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from bot.sandbox import Sandbox, SandboxError, SandboxKilled, SandboxSettings, SandboxTimeout
from core.errors import DamagedFile, Unavailable
from tests.support import sandbox_functions as functions
from tests.support.fork_server import release_fork_server

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="limits of worker processes are Linux's"),
    pytest.mark.asyncio(loop_scope="module"),
]
DEADLINE_SECONDS = 90.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    release_fork_server()
    sandbox = Sandbox(SandboxSettings(workers=2, memory_mib=128), preload=["tests.support.sandbox_functions"])
    yield sandbox
    await sandbox.close()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def has_fork_server() -> bool:
    """Whether this process has one as its child, whichever of its threads started it."""
    children = [pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]
    return any("forkserver" in command_line(pid) for pid in children)


def command_line(pid: str) -> str:
    """ "" of a process that has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


async def test_function_runs_in_another_process(sandbox: Sandbox) -> None:
    assert await sandbox.run(functions.double, 20, plus=2, timeout_seconds=10) == 42
    assert await sandbox.run(functions.whoami, timeout_seconds=10) != os.getpid()


async def test_error_for_the_user_comes_back_whole(sandbox: Sandbox) -> None:
    with pytest.raises(DamagedFile) as caught:
        await sandbox.run(functions.refuse_file, timeout_seconds=10)

    error = caught.value
    assert (error.text, error.fix, error.code) == ("The file ends too early.", "Send it again.", "file.truncated")


async def test_other_error_tells_where_it_was_raised(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="no such thing") as caught:
        await sandbox.run(functions.raise_value_error, timeout_seconds=10)

    assert "in raise_value_error" in "".join(caught.value.__notes__)


async def test_error_that_cannot_be_unpickled_becomes_one_that_can(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match=r"OneWayError: syntax error in line 3(.|\n)*in raise_one_way_error"):
        await sandbox.run(functions.raise_one_way_error, timeout_seconds=10)


async def test_answer_that_cannot_be_pickled_is_an_error(sandbox: Sandbox) -> None:
    with pytest.raises(Exception, match="pickle"):
        await sandbox.run(functions.return_what_cannot_be_pickled, timeout_seconds=10)


async def test_function_that_does_not_end_is_killed_and_others_go_on(sandbox: Sandbox, tmp_path: Path) -> None:
    note, gate = tmp_path / "note", tmp_path / "gate"
    stuck = asyncio.ensure_future(sandbox.run(functions.loop_for_ever_in_c, note, timeout_seconds=0.2))
    other = asyncio.ensure_future(sandbox.run(functions.wait_for, gate, timeout_seconds=30))

    with pytest.raises(SandboxTimeout):
        await stuck
    assert await sandbox.run(functions.double, 1, timeout_seconds=10) == 2
    gate.touch()

    assert await other != int(note.read_text())
    await until(lambda: not is_alive(int(note.read_text())))


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock may be very late; what ends a call is the processor's."""
    monkeypatch.setattr("bot.sandbox.PATIENCE", 200.0)


async def test_time_that_others_have_the_processor_is_not_counted(sandbox: Sandbox, unhurried: None) -> None:
    assert await sandbox.run(functions.sleep_for, 1.2, timeout_seconds=0.1) == 1.2


async def test_time_of_the_processor_is_counted_anew_for_each_call(sandbox: Sandbox, unhurried: None) -> None:
    for _ in range(3):
        assert await sandbox.run(functions.work_for, 0.4, timeout_seconds=0.8) >= 0.4
    with pytest.raises(SandboxTimeout, match="of a processor"):
        await sandbox.run(functions.work_for, 60, timeout_seconds=0.5)


async def test_time_in_which_a_worker_loads_what_it_keeps_is_not_counted(sandbox: Sandbox, unhurried: None) -> None:
    assert await sandbox.run(functions.load_for, 0.6, timeout_seconds=0.2) >= 0.6
    with pytest.raises(SandboxTimeout, match="of a processor"):
        await sandbox.run(functions.work_for, 60, timeout_seconds=0.2)


async def test_many_that_take_long_leave_a_worker_to_those_that_do_not(sandbox: Sandbox) -> None:
    slow = [
        asyncio.ensure_future(
            sandbox.run_quick(functions.work_for, 60, key=f"many {number}", quick_seconds=0.05, timeout_seconds=0.4)
        )
        for number in range(6)
    ]
    await asyncio.sleep(0)  # they are all before it

    assert await sandbox.run_quick(functions.double, 1, key="quick", quick_seconds=0.5, timeout_seconds=5) == 2

    given_up = sum(one.done() for one in slow)
    outcomes = await asyncio.gather(*slow, return_exceptions=True)
    assert given_up <= 2  # in a queue with them it would have been all, or all but one
    assert [type(one) for one in outcomes] == [SandboxTimeout] * 6


async def test_what_took_long_begins_in_the_slow_lane_the_next_time(sandbox: Sandbox, tmp_path: Path) -> None:
    note = tmp_path / "note"

    async def once(seconds: float, quick_seconds: float) -> int:
        """How often it was begun."""
        before = len(note.read_text()) if note.exists() else 0
        await sandbox.run_quick(
            functions.note_and_work_for, seconds, note, key="one", quick_seconds=quick_seconds, timeout_seconds=30
        )
        return len(note.read_text()) - before

    assert [await once(0.3, 0.1), await once(0.3, 0.1)] == [2, 1]
    await once(0.0, 20.0)  # it is quick again
    assert await once(0.3, 0.1) == 2


async def test_slow_lane_takes_so_many_and_no_more(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.sandbox.MOST_IN_SLOW_LANE", 1)
    calls = [
        sandbox.run_quick(functions.work_for, 0.3, key=f"{number}", quick_seconds=0.05, timeout_seconds=10)
        for number in range(2)
    ]

    done = await asyncio.gather(*calls, return_exceptions=True)

    assert sorted(isinstance(one, SandboxTimeout) for one in done) == [False, True]


CRASHES: dict[str, tuple[Callable[..., None], tuple[int, ...]]] = {
    "SIGSEGV": (functions.segfault, ()),
    "SIGKILL": (functions.be_stopped_by, (signal.SIGKILL,)),
    "status 7": (functions.leave, (7,)),
}


@pytest.mark.parametrize("how", CRASHES)
async def test_function_that_brings_its_worker_down_is_told(sandbox: Sandbox, how: str) -> None:
    function, arguments = CRASHES[how]

    with pytest.raises(SandboxKilled, match=how):
        await sandbox.run(function, *arguments, timeout_seconds=10)

    assert await sandbox.run(functions.double, 1, timeout_seconds=10) == 2


async def test_function_that_leaves_as_if_all_were_well_is_noticed_in_the_end(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxTimeout):
        await sandbox.run(functions.leave, 0, timeout_seconds=0.2)


async def test_system_exit_ends_the_call_only(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxKilled, match="SystemExit"):
        await sandbox.run(functions.system_exit, timeout_seconds=10)


async def test_memory_is_limited(sandbox: Sandbox) -> None:
    assert await sandbox.run(functions.take_memory, 64 << 20, timeout_seconds=10) == 64 << 20

    with pytest.raises(SandboxKilled, match="memory"):
        await sandbox.run(functions.take_memory, 256 << 20, timeout_seconds=10)


async def test_worker_that_somebody_stops_is_no_fault_of_the_file(sandbox: Sandbox) -> None:
    with pytest.raises(Unavailable):
        await sandbox.run(functions.be_stopped_by, signal.SIGTERM, timeout_seconds=10)


async def test_idle_workers_that_die_are_replaced(sandbox: Sandbox) -> None:
    for _ in range(2):
        os.kill(await sandbox.run(functions.whoami, timeout_seconds=10), signal.SIGKILL)

    answers = await asyncio.gather(*(sandbox.run(functions.double, n, timeout_seconds=10) for n in range(20)))

    assert answers == [2 * n for n in range(20)]


async def test_cancelled_call_is_killed(sandbox: Sandbox, tmp_path: Path) -> None:
    note = tmp_path / "note"
    call = asyncio.ensure_future(sandbox.run(functions.loop_for_ever_in_c, note, timeout_seconds=60))
    await until(note.exists)

    call.cancel()

    await until(lambda: not is_alive(int(note.read_text())))
    with pytest.raises(asyncio.CancelledError):
        await call


DENIED = [functions.open_socket, functions.open_socket_in_c, functions.run_program]


@pytest.mark.parametrize("function", DENIED, ids=lambda function: function.__name__)
async def test_network_and_other_programs_are_denied(sandbox: Sandbox, function: Callable[[], None]) -> None:
    function()  # here it may

    with pytest.raises(PermissionError):
        await sandbox.run(function, timeout_seconds=10)


async def test_worker_inherits_nothing_of_ours(sandbox: Sandbox, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)), (tmp_path / "database").open("wb"):
        fresh = Sandbox(SandboxSettings(workers=1))
        found = await fresh.run(functions.surroundings, timeout_seconds=10)
        await fresh.close()

    assert found == {
        "sockets": 0,
        "files": [],
        "umask": 0o077,
        "niceness": min(os.nice(0) + 10, 19),
        "core_bytes": 0,
        "interrupt": signal.SIG_IGN,
    }


async def test_processes_are_there_from_the_first_call_until_it_is_idle(sandbox: Sandbox) -> None:
    await sandbox.close()
    idle = Sandbox(SandboxSettings(workers=1, idle_seconds=0.2))
    had_before = has_fork_server()
    await idle.run(functions.double, 1, timeout_seconds=10)
    had_with_call = has_fork_server()

    await until(lambda: not has_fork_server())

    assert (had_before, had_with_call) == (False, True)
    assert await idle.run(functions.double, 1, timeout_seconds=10) == 2
    await idle.close()


SERVICE = """
import asyncio, signal, sys
from pathlib import Path
from bot.sandbox import Sandbox, SandboxSettings
from tests.support import sandbox_functions as functions

async def main():
    signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
    sandbox = Sandbox(SandboxSettings(workers=1))
    await sandbox.run(getattr(functions, sys.argv[1]), Path(sys.argv[2]), timeout_seconds=60)
    print("done")
    await sandbox.close()

if __name__ == "__main__":
    asyncio.run(main())
else:
    print("imported by a worker", flush=True)
"""


@pytest_asyncio.fixture(loop_scope="module")
async def start_service(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[asyncio.subprocess.Process]]]:
    """Starts a service of its own, in a group of processes of its own, that makes one call."""
    script = tmp_path / "service"
    script.write_text(SERVICE)
    started = []

    async def start(function: str, path: Path) -> asyncio.subprocess.Process:
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, script, function, path),
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        started.append(service)
        return service

    yield start
    for service in started:
        if service.returncode is None:
            service.kill()
        await service.wait()


async def test_worker_dies_with_the_service(
    start_service: Callable[..., Awaitable[asyncio.subprocess.Process]], tmp_path: Path
) -> None:
    note = tmp_path / "note"
    service = await start_service("loop_for_ever_in_c", note)
    await until(note.exists)

    service.kill()

    await until(lambda: not is_alive(int(note.read_text())))


async def test_interrupt_at_the_terminal_is_the_services_affair(
    start_service: Callable[..., Awaitable[asyncio.subprocess.Process]], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    service = await start_service("wait_for", gate)
    assert service.stdout is not None
    await until((tmp_path / "gate.waiting").exists)

    os.killpg(service.pid, signal.SIGINT)
    interrupted = await service.stdout.readline()
    gate.touch()
    rest = await service.stdout.read()

    assert (interrupted, rest) == (b"interrupted\n", b"done\n")
    assert await service.wait() == 0
