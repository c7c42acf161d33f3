"""Pulsekeeper: one service that knows who is alive, decides what to show them, does what is due, and nudges who has
fallen behind.

Read `house.py` first: it shows how the rooms are connected.
"""

from importlib.metadata import version

__version__ = version("pulsekeeper")
