"""What somebody might use instead, and the limit that nobody can beat, each as a process of its own.

*Who is here:* a bare loop that answers without thinking (`echo`), the same decision as an ordinary FastAPI application
(`fastapi_decide`), and Unleash, a server for feature flags that is installed from npm. Each is started as its own
manual says, and gets what it needs from the suite: a database on the same PostgreSQL, ten campaigns or flags, and
visitors who are known.

*Why programs and starters are apart:* `echo` and `fastapi_decide` run in another Python, which has their libraries and
not ours, so they import nothing from here. What is installed goes to a cache folder (`cache`) and never into a commit.
"""
