"""netkit doctor: probes ask, judges decide, findings name the fix."""
