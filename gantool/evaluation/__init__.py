"""How good is a model: scores between a floor and a ceiling, acceptance thresholds, cards."""
