"""`python -m wateropt`: the command line."""

from wateropt.cli import main

if __name__ == "__main__":  # worker processes import this module too
    main()
