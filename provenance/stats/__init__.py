"""Arrays in, a result out: null engines, tests, effects, power. Knows no model, file, network."""
