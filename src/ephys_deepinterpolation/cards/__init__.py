"""Model cards as Hugging Face reads them: what a model is, and what a study found of it."""

from ephys_deepinterpolation.cards.evidence import Evidence, gather_evidence, uses_of
from ephys_deepinterpolation.cards.rendering import CardFacts, card_figures, model_card

__all__ = [
    "CardFacts",
    "Evidence",
    "card_figures",
    "gather_evidence",
    "model_card",
    "uses_of",
]
