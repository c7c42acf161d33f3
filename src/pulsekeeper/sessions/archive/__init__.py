"""What is stored, as it is: the timeline of one session, and raw events as files for tools that are better at analysis.

Nothing is worked out here, and nothing is changed; only operators ask.
"""
