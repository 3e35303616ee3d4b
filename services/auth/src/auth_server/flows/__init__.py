"""What happens: one flow per file. Flows own transactions; remember the refusal, then refuse."""
