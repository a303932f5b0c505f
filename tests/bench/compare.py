"""Outputs are compared before anything is timed."""

import math

from setting import Wrong

# Scores of images without loss, one implementation in float32 against another (README, "How it is tested").
EXACT = 1e-3
# JPEG decoders differ by 0.2 levels on average, and seeded weights react to that more than trained ones.
JPEG = 2e-2


def difference(found, expected, where="result"):
    """The largest difference of two nests of lists, dictionaries and numbers."""
    if isinstance(expected, dict):
        if not isinstance(found, dict) or not expected.keys() <= found.keys():
            raise Wrong(f"{where}: found {found}, expected the fields {', '.join(expected)}")
        return max(difference(found[key], value, f"{where}.{key}") for key, value in expected.items())
    if isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            raise Wrong(f"{where}: found {found}, expected {len(expected)} values")
        return max((difference(a, b, f"{where}.{i}") for i, (a, b) in enumerate(zip(found, expected))), default=0.0)
    if not (isinstance(found, (int, float)) and math.isfinite(found) and math.isfinite(expected)):
        raise Wrong(f"{where}: found {found}, expected {expected}")
    return abs(found - expected)


def same(what, found, expected, bound):
    """What the report says of a comparison.

    Raises `Wrong` where a number is further off than `bound`.
    """
    largest = difference(found, expected, what)
    if largest > bound:
        raise Wrong(f"{what}: results differ by {largest:.2g}, expected at most {bound:g}; nothing was timed")
    return {"what": what, "difference": largest, "bound": bound}


def task(row, name="perception"):
    """What both sides say of an image's patches, out of a line of `trainer score` or a browser's result."""
    if "error" in row:
        raise Wrong(f"{row.get('path', 'image')}: not scored: {row['error']}")
    part = row[name]
    # The command line writes snake_case, and the package has camelCase.
    p = part["p_patches"] if "p_patches" in part else part["pPatches"]
    return {"score": part["score"], "p": p, "patches": [patch["p"] for patch in part["patches"]]}
