"""An equal, small budget of learning rate, schedule and epochs for every fusion, chosen on val."""
