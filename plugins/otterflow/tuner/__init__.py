"""The tuner: from the trials so far to the next configuration.

`suggest` is the whole of it (`suggest_batch` for several at once); `incumbent` says which configuration is best so far,
`outlook` what is still to be gained. Start reading at `recommend.py`; then encoding, design, surrogate, forest,
crashes, feasibility, acquisition, search and `algorithms/`: each an idea of its own.
"""

from otterflow.tuner.incumbent import Incumbent, incumbent
from otterflow.tuner.losses import Losses, Lost, fit_losses
from otterflow.tuner.outlook import Outlook, outlook
from otterflow.tuner.past import PastExperiment
from otterflow.tuner.recommend import suggest, suggest_batch
from otterflow.tuner.trial import Suggestion, Trial

__all__ = [
    "Incumbent",
    "Losses",
    "Lost",
    "Outlook",
    "PastExperiment",
    "Suggestion",
    "Trial",
    "fit_losses",
    "incumbent",
    "outlook",
    "suggest",
    "suggest_batch",
]
