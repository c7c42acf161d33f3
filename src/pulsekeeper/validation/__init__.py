"""Is this input what it should be, and if not, what is wrong with it: all of it, at once, in sentences?

Called by whoever takes in something from outside: routes for requests, the configuration for its files, the commands
for an operator's campaigns. It never repairs, never stores and never repeats a secret. msgspec judges what is valid,
but it stops at the first fault, and a person who mends a form or a file deserves the whole list. So valid input takes
msgspec's fast path, and only refused input is walked beside its type to find every fault.
"""

from pulsekeeper.validation.decoding import Unknown, convert, decode_json, to_builtins
from pulsekeeper.validation.describe import did_you_mean, expectation
from pulsekeeper.validation.hooks import decode_hook, encode_hook
from pulsekeeper.validation.places import place_of

__all__ = [
    "Unknown",
    "convert",
    "decode_hook",
    "decode_json",
    "did_you_mean",
    "encode_hook",
    "expectation",
    "place_of",
    "to_builtins",
]
