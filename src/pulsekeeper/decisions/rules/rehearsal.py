"""What CEL can only say when an expression runs: its types. So each is run once, on somebody made up, to be kept.

The library checks no types when it compiles. A comparison of a number with a text, or a result that is neither true
nor false, would otherwise be saved and then refuse everybody for ever. What a client may leave out is missing here,
and that is no fault.
"""

from datetime import UTC, datetime

import cel

_SAMPLE: dict[str, object] = {
    "release": "2025.10.1",
    "flags": ["a-flag"],
    "visitor": {"kind": "visitor", "firstVisit": False, "lastReleaseSeen": "2025.9.30", "daysSinceLastSeen": 3},
    "visits": {"today": 1, "thisWeek": 2, "total": 3},
    "attributes": {},
    "now": datetime(2025, 10, 10, 17, 20, tzinfo=UTC),
    "auth": {"authenticated": True, "roles": ["a-role"]},
}


def complaint(program: cel.Program) -> str | None:
    """What is wrong with an expression that compiles and names nothing unknown; `None` if nothing is known to be."""
    try:
        result = program.execute(_SAMPLE)
    except TypeError:
        return "it compares or combines values of different types"
    except ZeroDivisionError:
        return "it divides by zero"
    except RuntimeError:
        return "it calls a function in a way that there is not"
    except (KeyError, ValueError, OverflowError):  # about values, which are other ones for everybody
        return None
    return None if isinstance(result, bool) else f"it gives {str(result)[:40]!r} where true or false is expected"
