"""Text from drivers and servers, made fit to be shown."""


def one_line(value: str, limit: int = 200) -> str:
    """Return a foreign text as it may be shown: one line, printable, not endless."""
    flat = " ".join("".join(c if c.isprintable() else " " for c in value).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def distinct(names: tuple[str, ...], word: str) -> tuple[str, ...]:
    """Give each a name where it has none ("Filter 3"), and no name twice."""
    found: list[str] = []
    for number, name in enumerate(names, start=1):
        plain = name or f"{word} {number}"
        found.append(plain if plain not in found else f"{plain} ({number})")
    return tuple(found)
