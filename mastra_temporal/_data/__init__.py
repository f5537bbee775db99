"""JSON data, schemas, paths into data, and options. Nothing here knows about workflows."""
