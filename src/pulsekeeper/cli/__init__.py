"""The commands. Each reads the configuration, does one thing, and ends with 0, or with a sentence and another code.

`commands` puts them together and turns errors into sentences; each of the others has the commands of one room.
"""
