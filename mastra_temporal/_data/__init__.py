"""Values: JSON data, schemas, paths into data, option bags. Knows nothing of workflows."""
