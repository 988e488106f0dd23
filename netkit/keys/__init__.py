"""Key pairs: making them, converting them between formats, bringing them to a gateway."""
