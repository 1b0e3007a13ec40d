"""`python -m kexp`, the command line."""

from kexp.cli.command_line import main

if __name__ == "__main__":
    main()
