from datetime import tzinfo

class CronTrigger:
    def __init__(self, *, second: int | str | None = ..., timezone: tzinfo | None = ...) -> None: ...
