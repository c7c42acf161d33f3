"""Who is using it: anonymous sessions of plug-ins and apps whose users have said yes.

A client starts a session, says now and then that it is still alive, reports what happened, and ends it; what was
acknowledged is stored, once, and need not be told again. Sessions that fall silent are ended at their last sign of
life. Nothing here leads to a person: ids are made by the service, and no address, user or free text about one is
stored, because what is not there can be neither lost nor asked for. Nobody is told about anyone else: only operators
see figures, sessions and events.
"""
