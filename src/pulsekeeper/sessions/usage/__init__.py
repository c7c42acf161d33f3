"""What the sessions add up to: figures by local day or week, and the roll-ups that make them cheap.

Roll-ups are a cache of what raw sessions and events say: brought up to date for sessions that have changed, and at any
time rebuilt from nothing. Only operators ask.
"""
