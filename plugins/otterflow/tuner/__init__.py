"""The tuner: from the trials so far to the next configuration.

`suggest` is the whole of it; `incumbent` says which configuration is best so far. Start reading at `recommend.py`; then
encoding, design, surrogate, forest, crashes, acquisition, search: each an idea of its own.
"""

from otterflow.tuner.incumbent import Incumbent, incumbent
from otterflow.tuner.recommend import suggest
from otterflow.tuner.trial import Suggestion, Trial

__all__ = ["Incumbent", "Suggestion", "Trial", "incumbent", "suggest"]
