"""Made-up histories: what the room would hold if people had used something for a month.

For demonstrations and benchmarks. A history follows from a seed and its last day, to the last id; what of it lies after
the present has not happened yet. It is written past the handshake, in bulk, and as the handshake would have left it.
"""
