"""One movie for each combination of parameters: values and names, several makes at once, the report."""
