"""From trained models to kept predictions, and from predictions to metrics and curves."""
