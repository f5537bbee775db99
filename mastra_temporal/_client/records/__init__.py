"""Reading runs out of Temporal: their status, their recorded history, lists of them."""
