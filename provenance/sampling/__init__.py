"""From a battery to recorded answers: the plan (pure), the budget, and the loop that asks."""
