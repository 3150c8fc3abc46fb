"""What every room stands on, and that knows nothing of sessions."""

import logging

# quantlab.cli shows what is logged; a library is silent.
logging.getLogger("quantlab").addHandler(logging.NullHandler())
