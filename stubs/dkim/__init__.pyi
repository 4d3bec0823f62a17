from collections.abc import Callable
from logging import Logger
from typing import Any

from dkim.canonicalization import CanonicalizationPolicy

CV_Pass: bytes
CV_Fail: bytes
CV_None: bytes
HASH_ALGORITHMS: dict[bytes, Any]

class DKIMException(Exception): ...
class ValidationError(DKIMException): ...

class DomainSigner:
    headers: list[list[bytes]]
    body: bytes | str
    hasher: Any
    signature_algorithm: bytes
    def __init__(
        self,
        message: bytes | None = ...,
        *,
        logger: Logger = ...,
        signature_algorithm: bytes = ...,
        minkey: int = ...,
    ) -> None: ...
    def verify_sig(
        self,
        sig: dict[bytes, bytes],
        include_headers: list[bytes],
        sig_header: Any,
        dnsfunc: Callable[..., bytes],
    ) -> bool: ...
    def gen_header(
        self,
        fields: list[tuple[bytes, bytes]],
        include_headers: tuple[bytes, ...],
        canon_policy: CanonicalizationPolicy,
        header_name: bytes,
        pk: Any,
    ) -> bytes: ...

class DKIM(DomainSigner):
    def verify(self, idx: int = ..., dnsfunc: Callable[..., bytes] = ...) -> bool: ...

class ARC(DomainSigner):
    def verify(self, dnsfunc: Callable[..., bytes] = ...) -> tuple[bytes | None, list[dict[str, Any]], str]: ...

def sign(
    message: bytes,
    selector: bytes,
    domain: bytes,
    privkey: bytes,
    *,
    canonicalize: tuple[bytes, bytes] = ...,
    signature_algorithm: bytes = ...,
    include_headers: list[bytes] | None = ...,
    length: bool = ...,
) -> bytes: ...
def verify(message: bytes, *, dnsfunc: Callable[..., bytes] = ..., minkey: int = ...) -> bool: ...
def arc_sign(
    message: bytes,
    selector: bytes,
    domain: bytes,
    privkey: bytes,
    srv_id: bytes,
    *,
    include_headers: list[bytes] | None = ...,
) -> list[bytes]: ...
