from inscriptis.model.html_element import HtmlElement

class ParserConfig:
    def __init__(self, css: dict[str, HtmlElement] | None = None) -> None: ...
