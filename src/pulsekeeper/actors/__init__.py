"""Long-lived tasks that own a piece of state, are spoken to by messages, and are started again when they crash.

The whole of it, in the order in which one learns it:

* A message is any object. One that wants an answer is a `Question[R]`; whoever reads it calls `reply` (`question`).
* A `Mailbox` is an address. `mailbox.ref` is its sending half: `tell`, `tell_nowait`, `ask`. Its reading half is an
  `Inbox`, made anew for each life of the actor: `get`, `batch`, `async for` (`mailbox`, `inbox`).
* Who waits for an answer does so under Trio's deadlines; for what is asked with every request, one timer serves all
  askers (`patience`).
* An actor is anything with `async def run(self, inbox)`; one run of it is a life (`life`). A `ChildSpec` says how it is
  started, when it is restarted and how long it may take to end (`child`).
* A `Supervisor` starts its children in order (`family`), restarts them by its strategy within its budget (`restarts`),
  and stops them in reverse (`supervisor`). It is an actor itself, so trees are supervisors all the way up. `open_tree`
  runs the topmost one (`tree`).

Used by every room with something long-lived; knows none of them. *Why our own:* the restart rules of Erlang/OTP are
what makes a crash a local event, and nothing that is published has them for Trio.
"""
