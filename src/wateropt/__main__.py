"""`python -m wateropt`: the command line."""

from wateropt.cli import main

main()
