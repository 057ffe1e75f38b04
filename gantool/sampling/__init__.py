"""Drawing with a model, and writing down what was drawn."""
