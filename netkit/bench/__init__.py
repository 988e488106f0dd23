"""``netkit bench``: measures a tunnel, says what limits it and what to do.

``measuring/``, ``trial/`` and `shaper` act; everything else is pure: `model` holds what was
measured, `analysis` what it means, ``report/`` writes it down.
"""
