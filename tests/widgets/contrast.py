"""How legible a text is, as the Web Content Accessibility Guidelines compute it."""

from __future__ import annotations

LEAST = 4.5
"""WCAG 2.2, 1.4.3."""

Colour = tuple[float, float, float]
"""Red, green, blue, up to 255."""


def of_hex(colour: str) -> Colour:
    """#rrggbb."""
    red, green, blue = (float(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return red, green, blue


def contrast(one: Colour, other: Colour) -> float:
    """From 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Colour) -> float:
    """WCAG 2.2, relative luminance."""
    shares = [each / 255 for each in colour]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
