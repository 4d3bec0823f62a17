class AuthResError(Exception): ...

class AuthenticationResultProperty:
    type: str
    name: str
    value: str | None

class AuthenticationResult:
    method: str
    result: str | None
    properties: list[AuthenticationResultProperty]

class AuthenticationResultsHeader:
    authserv_id: str | None
    results: list[AuthenticationResult]
    @classmethod
    def parse(cls, string: str) -> AuthenticationResultsHeader: ...
