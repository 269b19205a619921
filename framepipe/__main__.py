"""``python -m framepipe``."""

from framepipe.cli import main

if __name__ == "__main__":
    main()
