"""The pages a person sees: rendered here, no script, every foreign word in them distrusted."""
