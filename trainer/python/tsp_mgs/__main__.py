"""`python -m tsp_mgs score …` runs `trainer score …`, even if another package has a command `trainer`."""

import sys

from tsp_mgs.program import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except FileNotFoundError as error:
        sys.exit(f"error: {error}")
