"""What becomes of sessions and events when their time is over.

Called every hour by the caretaker, on one node at a time, and by `pulsekeeper maintain`. It makes the partitions of
events ahead, and deletes what is past the retention: events by the day, then the sessions that they belonged to, and
the figures of that time. It never ends a session, and never deletes an open one: that somebody is silent is for the
reaper to say.
"""
