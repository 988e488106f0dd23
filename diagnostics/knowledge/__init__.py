"""What netkit knows about the world: tables with their sources, and the text for every code."""
