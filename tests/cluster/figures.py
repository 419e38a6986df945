"""What the tests of a run measured, one line each, told at its end."""

figures = []
