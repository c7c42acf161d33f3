"""Which rules are in force, and who may change them?

Operators write campaigns and releases over HTTP, by files and by commands; every edition is kept under its hash, and a
change is in force on every node with its next commit. `rule_store` is the only way to write rules, `shelf` is where
each node keeps those in force. It never decides anything.
"""
