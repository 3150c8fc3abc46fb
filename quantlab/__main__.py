"""`python -m quantlab` is `quantlab`."""

from quantlab.cli import entry

if __name__ == "__main__":
    entry()
