"""A campaign's `when`: CEL, compiled once, that can never be slow, never fail loudly and never see more than it should.

What an expression may name:

* `release`: the id that the client runs, a string
* `flags`: the client's feature flags, a list
* `visitor`: `kind` (`user`, `visitor` or `ip`), `firstVisit`, `lastReleaseSeen` (`""` before the first), and, unless
  the person is new, `daysSinceLastSeen`, whole days
* `visits`: `today`, `thisWeek` and `total`, this visit counted
* `attributes`: what the client says about itself; test with `has(attributes.region)` what may be missing
* `now`: a timestamp in UTC
* `auth`: `authenticated`, and `roles` from the verified token

CEL has no loops but its macros, and their cost multiplies. So there may be two of them, side by side, each over a list
that is named (and so bounded), with a short body. `matches` is left out, since it compiles its pattern at each call,
and `map`, since it makes lists that are not bounded. Strings have no escapes, so that what is checked is what is run.
"""
