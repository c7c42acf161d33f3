"""How fast is it, and how much of that is left of what the machine could do?

`python -m benchmarks` measures one stage after the other: what happens inside one process (`actors`, `rules`), then
real server processes over sockets, on a real PostgreSQL that waits for its disk (`decisions`). Nothing is judged and
nothing is asserted: the tables name the machine, the versions and the commit, and the reader compares.

*What makes the numbers comparable:* every figure stands beside a limit that was measured in the same run, every case is
warmed up, the cases of a table take turns for several rounds, and a figure is the median of its rounds. The loader is
closed-loop: a connection asks again when it has its answer, so requests per second and latencies depend on each other,
and a slow server is asked less often.

To add a room, write a stage (`measuring`) and name it in `__main__`.
"""
