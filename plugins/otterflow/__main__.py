"""The command: `python -m otterflow experience ...`, and `export`, `ottertune`, `task` and `verdict`."""

import sys
from contextlib import redirect_stdout

with redirect_stdout(sys.stderr):  # Airflow logs to what stdout is when it is imported, and the report belongs there
    from otterflow.operators.command_line import main

if __name__ == "__main__":
    sys.exit(main())
