"""Activities. User code (steps, conditions, mappings and callbacks) runs only here."""
