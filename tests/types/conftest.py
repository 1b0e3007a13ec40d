# They are read by type checkers, not run.
collect_ignore = ["mistakes.py", "user_code.py"]
