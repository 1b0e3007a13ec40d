"""`python -m kexp.cli`, the command line."""

from kexp.cli.app import main

if __name__ == "__main__":
    main()
