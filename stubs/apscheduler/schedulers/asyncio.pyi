# What we use of APScheduler 3.11, which has no types.
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

class AsyncIOScheduler:
    running: bool
    def __init__(self, *, timezone: tzinfo, job_defaults: Mapping[str, Any] = ...) -> None: ...
    def add_job(
        self,
        func: Callable[..., Awaitable[None]],
        trigger: object,
        *,
        args: Sequence[Any] = ...,
        name: str = ...,
    ) -> object: ...
    def start(self) -> None: ...
    def shutdown(self, wait: bool = ...) -> None: ...
