"""How colours look to people who lack a kind of cone, and how far apart they are then."""

from attention_viz.figures.palette import _channels, _linear

# Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB
SIGHTS = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
_WHITE = (0.95047, 1.0, 1.08883)


def distance(one: str, other: str, sight: str = "all cones") -> float:
    """CIE 1976 ΔE of two "#rrggbb"; 2 can just be told apart side by side."""
    pairs = zip(_lab(one, sight), _lab(other, sight), strict=True)
    return sum((a - b) ** 2 for a, b in pairs) ** 0.5


def least_distance(one: str, other: str) -> float:
    """The least over all kinds of sight."""
    return min(distance(one, other, sight) for sight in SIGHTS)


def _lab(colour: str, sight: str) -> tuple[float, float, float]:
    rgb = [_linear(channel / 255) for channel in _channels(colour)]
    seen = [min(1.0, max(0.0, part)) for part in _times(SIGHTS[sight], rgb)]
    x, y, z = (
        _bend(part / white) for part, white in zip(_times(_TO_XYZ, seen), _WHITE, strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _times(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def _bend(share: float) -> float:
    return share ** (1 / 3) if share > 0.008856 else 7.787 * share + 16 / 116
