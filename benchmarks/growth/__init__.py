"""What becomes of a decide as things grow: campaigns, known visitors, the log, nodes.

Each file is one stage: servers that differ in nothing but the one number, measured in turns, and a chart over it. Every
size is an option away, so that the same tables can be had in seconds on a laptop and at full size over night.
"""
