"""Who is using it: anonymous sessions of plug-ins and apps whose users have said yes.

A client starts a session, says now and then that it is still alive, reports what happened, and ends it; what was
acknowledged is stored, once, and need not be told again. Sessions that fall silent are ended at their last sign of
life. Nothing here leads to a person: ids are made by the service, and no address, user or free text about one is
stored, because what is not there can be neither lost nor asked for. Nobody is told about anyone else: only operators
see figures, sessions and events.

To be read in this order: `model` and `records`, the nouns; what becomes of the body of a call, purely: `packing` takes
it apart, `judging` (with `names` and `fields`) judges each event, `verdicts` says what the client is told; `tokens` and
`signing`, who may speak; `store` (with `speakers` and `columns`); the actors `recorder` and `reaper`; `routes`, with
`reception` and `backlog` at the door. `usage/` works figures out, `archive/` gives out what is stored, `upkeep/`
deletes what is too old, and `sampling/` makes sessions up for demos.

Where the time goes, under load: of a sign of life, more into the connection (see `web`) and into passing it on to the
recorder than into the database, whose part a batch shares; of events in large batches, over half into the database,
spread over the rows of two tables and their indexes without a single peak, and most of the rest into judging them. What
pays: a function that is planned once, one row read and written for all that a batch says of a session, and tokens that
are verified once.
"""
