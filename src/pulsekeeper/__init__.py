"""Pulsekeeper: one service that knows who is alive, decides what to show them, does what is due, and nudges who has
fallen behind.

Read `house.py` first: it shows how the rooms are connected.
"""

__version__ = "0.1.0"
