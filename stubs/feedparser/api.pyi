from typing import ClassVar

class StrictFeedParser:
    namespaces: ClassVar[dict[str, str]]
    @staticmethod
    def looks_like_html(s: str) -> bool: ...
