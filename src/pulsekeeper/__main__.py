"""`python -m pulsekeeper` is `pulsekeeper`."""

from pulsekeeper.cli.main import main

main()
