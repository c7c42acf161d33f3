"""How fast is it, and how much of that is left of what the machine could do?

`python -m benchmarks` measures one stage after the other: what happens inside one process (`actors`, `rules`), then
real server processes over sockets, on a real PostgreSQL that waits for its disk (`decisions`, `sessions`, and `rivals`
with others beside ours), and what becomes of it all as things grow (`growth`). Nothing is judged and nothing is
asserted: each table names the machine, the versions and the commit, and the reader compares.

*What makes the numbers comparable:* every figure stands beside a limit that was measured in the same run, every case is
warmed up, the cases of a table take turns for several rounds, and a figure is the median of its rounds. Only what goes
wrong is no median: faults are added up, and of the share of degraded answers and the longest time the worst is shown.

*Two loaders* (`loader`), because each answers one question and misleads about the other. The closed loop finds what can
be done at most: a connection asks again when it has its answer, so a slow server is asked less often, and its stalls
are hardly seen. The open loop asks by a schedule (`schedule`) and counts from the moment at which a request was due:
its latencies are what people wait for at that rate. Both run in the process of the benchmarks, which does nothing else
meanwhile, and tell how much of a core they take from what they measure.

To add a room, write a stage (`measuring`) and name it in `__main__`. A server that answers HTTP is a `Target`
(`targets`): rows of a closed loop, a table by arrival rate (`rates`) and pictures (`charts`, `plots`) come with it.
"""
