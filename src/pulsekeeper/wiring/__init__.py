"""How each room is put together: its stores, its actors and its routes, connected by refs and plain callables.

One file a room, called by `house.py` with the `Ground` that all rooms stand on. What a room gives back is all that the
house knows of it. It opens nothing and starts nothing: that is the house's, so that the order stands in one place.
Apart from `house.py`, so that this stays one picture however many rooms there are.
"""
