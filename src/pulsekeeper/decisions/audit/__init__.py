"""What was decided, and for how long do we know it?

The log of decisions and what can be made of it: one decision and its replay, everything about one person and their
erasure, statistics, and the upkeep that makes partitions ahead and drops what is past its time. It never decides
anything, and it never brings back what was erased.
"""
