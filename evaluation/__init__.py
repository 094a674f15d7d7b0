"""How right the models are: labelled data in, scores with intervals, plots and temperatures out."""
