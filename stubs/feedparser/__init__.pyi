from typing import Any

def parse(
    url_file_stream_or_string: Any,
    *,
    response_headers: dict[str, str] | None = None,
    resolve_relative_uris: bool | None = None,
    sanitize_html: bool | None = None,
) -> dict[str, Any]: ...
